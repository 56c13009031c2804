//! `nn-dropout predict`: the predictions of a trained perceptron for new rows.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;

use super::Ended;
use crate::io::files::{Staged, publish};
use crate::io::source::Source;
use crate::mlp::model::Mlp;
use crate::mlp::prediction::{Columns, ROWS, SEED, sample};
use crate::mlp::run::{load_model, load_settings};
use crate::settings::CsvOptions;
use crate::settings::numbers::{count, seed};
use crate::table::{Cells, Feature, Kind, Schema, TableWriter, Target, Value};
use crate::words::{instead, quoted};

/// Predict the rows of a table with a trained perceptron
///
/// Writes a table with one row per row of the data, in their order: `class,probability`, or `prediction` for a regression. With
/// --samples each row is predicted that many times with dropout on. The result is the mean and its uncertainty: the `entropy` of the
/// mean probabilities (all uncertainty, in nats) and the `mutual_information` (what more training data would remove), or the
/// `deviation` of the predicted numbers.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct PredictArgs {
    /// The folder of a run of `train --model mlp`
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// A CSV or Parquet file, or `-` for standard input, with the columns that the run was trained on; other columns are ignored
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The number of predictions per row with dropout on [default: one with dropout off]
    #[arg(long, value_name = "N", value_parser = count)]
    samples: Option<NonZeroUsize>,
    /// The seed of the masks of the samples
    #[arg(long, value_name = "N", default_value_t = SEED, value_parser = seed)]
    seed: u64,
    /// Add the probability of each class
    #[arg(long)]
    probabilities: bool,
    /// Columns of the data to put before the predictions
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    keep: Vec<String>,
    /// The file to write: Parquet if its name ends in .parquet or .pq, else CSV [default: CSV on the terminal]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    csv: CsvOptions,
}

pub fn predict(args: &PredictArgs) -> Result<Ended> {
    let (settings, schema) = load_settings(&args.run)?;
    ensure!(
        !args.probabilities || matches!(schema.target, Target::Classes(_)),
        "--probabilities is for classes, and the run in {} predicts numbers",
        args.run.display()
    );
    // Dropout acts on autodiff devices only.
    let device = if args.samples.is_some() { Device::flex().autodiff() } else { Device::flex() };
    let model = load_model(&args.run, &settings, &schema, args.seed, &device)?;
    let predictor = Predictor { args, schema: &schema, model, device };
    match &args.output {
        Some(path) => publish([predictor.write(Staged::new(path)?, is_parquet(path))?])?,
        None => predictor.write(stdout(), false)?.flush()?,
    }
    if args.samples.is_some() && settings.dropout.get() == 0.0 {
        eprintln!(
            "note: the run was trained with p = 0, so all samples of a row are the same; --samples needs a run with dropout"
        );
    }
    Ok(Ended::Finished)
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet") || end.eq_ignore_ascii_case("pq"))
}

struct Predictor<'a> {
    args: &'a PredictArgs,
    schema: &'a Schema,
    model: Mlp,
    device: Device,
}

impl Predictor<'_> {
    /// Predicts all rows into a table, a few at a time, and gives the output back.
    fn write<W: Write + Send>(&self, output: W, as_parquet: bool) -> Result<W> {
        self.write_rows(output, as_parquet).with_context(|| self.args.data.display().to_string())
    }

    fn write_rows<W: Write + Send>(&self, output: W, as_parquet: bool) -> Result<W> {
        let Self { args, schema, .. } = self;
        let source = Source::open(&args.data)?;
        let is_known = schema.blake3.is_some() && schema.blake3 == Some(source.hash()?);
        let usual = |name: &str| {
            schema.features.iter().find(|feature| feature.name == name).map(Feature::reading).unwrap_or_default()
        };
        let mut cells = Cells::open(&source, &args.csv, usual)?;
        let header = cells.header.clone();
        let mut encoder = schema.encoder(&header, &cells.readings)?;
        let kept = kept(&args.keep, &header)?;
        let columns = Columns { uncertain: args.samples.is_some(), probabilities: args.probabilities };
        let names = args.keep.iter().map(|name| (name.clone(), Kind::Text)).chain(columns.header(&schema.target));
        let names: Vec<(String, Kind)> = names.collect();
        let open =
            |output| if as_parquet { TableWriter::parquet(output, &names) } else { TableWriter::csv(output, &names) };

        // Nothing is written before the first rows have been read.
        let (mut output, mut table) = (Some(output), None);
        let (mut features, mut texts, mut rows) = (Vec::new(), Vec::new(), 0);
        loop {
            let row = cells.next()?;
            let is_last = row.is_none();
            if let Some(row) = row {
                rows += 1;
                encoder.add(rows, |column| row.cell(column), &mut features)?;
                texts.extend(kept.iter().map(|&column| row.text(column).into_owned()));
            }
            if features.len() == ROWS * schema.inputs() || is_last {
                ensure!(rows > 0, "the file has no rows");
                let table = match output.take() {
                    Some(output) => table.insert(open(output)?),
                    None => table.as_mut().context("it is open")?,
                };
                let predictions =
                    sample(&self.model, schema, &features, args.samples.map_or(1, NonZeroUsize::get), &self.device);
                let mut texts = texts.drain(..);
                for prediction in predictions {
                    let kept = texts.by_ref().take(kept.len()).map(|text| Value::Text(text.into()));
                    let row: Vec<Value> = kept.chain(columns.values(&schema.target, &prediction)).collect();
                    table.add(&row)?;
                }
                features.clear();
            }
            if is_last {
                break;
            }
        }
        if is_known {
            eprintln!("note: the run was trained on this very table, so the predictions are better than for new rows");
        }
        for unknown in encoder.unknown() {
            let (column, example) = (quoted(&unknown.column), quoted(&unknown.example));
            let (count, cells) = (unknown.count, unknown.cells);
            let as_what = if unknown.are_others { "others" } else { "missing" };
            eprintln!(
                "note: column {column}: {count} of {cells} cells hold what the model has not seen, such as {example}, and count as {as_what}"
            );
        }
        table.context("it is open")?.finish()
    }
}

/// The places of the columns to keep.
fn kept(names: &[String], header: &[String]) -> Result<Vec<usize>> {
    let place = |name: &String| {
        let places: Vec<usize> = (0..header.len()).filter(|&column| header[column] == *name).collect();
        let others = || instead(name, header.iter().map(String::as_str));
        ensure!(!places.is_empty(), "there is no column {} to keep; {}", quoted(name), others());
        ensure!(
            places.len() == 1,
            "{} columns are named {}; --keep cannot tell them apart",
            places.len(),
            quoted(name)
        );
        Ok(places[0])
    };
    names.iter().map(place).collect()
}
