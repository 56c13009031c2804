//! `nn-dropout describe`: what a table holds, and what looks wrong with it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nn_dropout_experiments::io::source::{Source, shown};
use nn_dropout_experiments::settings::{CsvOptions, MlpSettings, Options, Task};
use nn_dropout_experiments::table::{Contents, Description};
use nn_dropout_experiments::words::print;

use super::Ended;

/// Show how `train` reads a table
///
/// Prints which columns are numbers, categories and dates, what is left out and why, what is missing, and the classes of the target.
/// Warns about constant columns, columns that only number the rows, columns that alone reveal the target, and classes with one
/// row.
#[derive(clap::Args)]
pub struct DescribeArgs {
    /// A CSV or Parquet file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column to predict
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Predict a class (integers or text), or a number or date [default: classification]
    #[arg(long)]
    task: Option<Task>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    ignore: Option<Vec<String>>,
    /// Number columns to treat as categories
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
    let mut text = description.to_string();
    for warning in &description.warnings {
        text.extend(["warning: ", warning, "\n"]);
    }
    print(&text)?;
    Ok(Ended::Finished)
}
