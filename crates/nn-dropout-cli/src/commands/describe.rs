//! `nn-dropout describe`: what a table holds, and what looks wrong with it.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Ended;
use crate::io::source::{Source, shown};
use crate::settings::{CsvOptions, MlpSettings, Options, Task};
use crate::table::{Contents, Description};

/// Say what a table holds, as `train` reads it
///
/// Prints which columns are numbers, categories and dates, what is left out and why, what is missing, and the classes of the target.
/// Warns of columns that are constant, count the rows or give the target away, and of classes with a single row.
#[derive(clap::Args)]
pub struct DescribeArgs {
    /// A CSV or Parquet file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column to predict
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Predict a class (integers or text) or a number [default: classification]
    #[arg(long)]
    task: Option<Task>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    ignore: Option<Vec<String>>,
    /// Columns whose numbers are categories
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    categories: Option<Vec<String>>,
    #[command(flatten)]
    csv: CsvOptions,
}

pub fn describe(args: &DescribeArgs) -> Result<Ended> {
    let settings = MlpSettings::of(Options {
        data: Some(args.data.clone()),
        target: args.target.clone(),
        task: args.task,
        ignore: args.ignore.clone(),
        categories: args.categories.clone(),
        separator: args.csv.separator,
        decimal: args.csv.decimal,
        encoding: args.csv.encoding,
        ..Options::default()
    });
    let contents = Source::open(&args.data).and_then(|source| Contents::read(&source, &settings));
    let description = Description::of(&contents.with_context(|| shown(&args.data))?);
    let warnings: String = description.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    let mut out = stdout().lock();
    write!(out, "{description}{warnings}").and_then(|()| out.flush()).context("cannot write the description")?;
    Ok(Ended::Finished)
}
