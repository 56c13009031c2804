//! `nn-dropout predict`: the predictions of a trained perceptron for new rows.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nn_dropout_experiments::interrupt;
use nn_dropout_experiments::io::files::{Staged, is_same_file, publish};
use nn_dropout_experiments::io::source::{Source, shown};
use nn_dropout_experiments::mlp::prediction::{Columns, Predictor, SEED};
use nn_dropout_experiments::note;
use nn_dropout_experiments::settings::CsvOptions;
use nn_dropout_experiments::settings::numbers::{count, seed};
use nn_dropout_experiments::table::{Cells, Encoder, Kind, Schema, TableWriter, Target, Value};
use nn_dropout_experiments::words::{instead, quoted};

use super::Ended;
use crate::ctrl_c;
use crate::mlp::{load_model, load_settings};

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
    /// The number of predictions per row with dropout on [default: a single prediction, with dropout off]
    #[arg(long, value_name = "N", value_parser = count)]
    samples: Option<NonZeroUsize>,
    /// The seed of the masks of the samples
    #[arg(long, value_name = "N", default_value_t = SEED, value_parser = seed)]
    seed: u64,
    /// Add the probability of each class
    #[arg(long)]
    probabilities: bool,
    /// Columns of the data to copy into the output, before the predictions
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    keep: Vec<String>,
    /// The file to write: Parquet if its name ends in .parquet or .pq, CSV if in .csv or .txt [default: CSV on standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    csv: CsvOptions,
}

pub fn predict(args: &PredictArgs) -> Result<Ended> {
    let as_parquet = args.output.as_deref().map_or(Ok(false), is_parquet)?;
    if let Some(output) = &args.output {
        let is_data = args.data.exists() && is_same_file(&args.data, output);
        ensure!(!is_data, "{} is the data: name another file with --output", output.display());
    }
    let (settings, schema) = load_settings(&args.run)?;
    ensure!(
        !args.probabilities || matches!(schema.target, Target::Classes(_)),
        "--probabilities is for classes, and the run in {} predicts numbers",
        args.run.display()
    );
    let model = load_model(&args.run, &settings, &schema)?;
    let predictor = Predictor::new(model, &settings, args.samples, args.seed);
    let predictions = Predictions { args, schema: &schema, predictor };
    ctrl_c::listen()?;
    match &args.output {
        Some(path) => {
            let written = predictions.write(Staged::new(path)?, as_parquet)?;
            if interrupt::noted() {
                return Ok(Ended::Interrupted);
            }
            publish([written])?;
        }
        None => predictions.write(stdout(), false)?.flush().context("cannot write the predictions")?,
    }
    if args.samples.is_some() && settings.is_without_dropout() {
        note!(
            "note: the run was trained with {} = 0, so all samples of a row are the same; --samples needs a run with dropout",
            settings.dropout.kind().amount()
        );
    }
    Ok(Ended::Finished)
}

/// Whether the name of a file asks for Parquet, and not for CSV.
fn is_parquet(path: &Path) -> Result<bool> {
    match path.extension().map(|end| end.to_string_lossy().to_lowercase()).as_deref() {
        Some("parquet" | "pq") => Ok(true),
        None | Some("csv" | "txt") => Ok(false),
        Some(end) => bail!(
            "{}: predictions are CSV or Parquet: expected a name that ends in .csv or .parquet, not in .{end}",
            path.display()
        ),
    }
}

/// All rows that are to be predicted.
struct Predictions<'a> {
    args: &'a PredictArgs,
    schema: &'a Schema,
    predictor: Predictor,
}

impl Predictions<'_> {
    /// Predicts all rows into a table, some at a time, and gives the output back.
    fn write<W: Write + Send>(&self, output: W, as_parquet: bool) -> Result<W> {
        let Self { args, schema, predictor } = self;
        let columns = Columns::of(&schema.target, args.samples.is_some(), args.probabilities);
        let path = || shown(&args.data);

        let source = Source::open(&args.data).with_context(path)?;
        let mut rows = Rows::open(&source, args, schema).with_context(path)?;
        // Nothing is written before the first rows have been read.
        rows.read().with_context(path)?;
        ensure!(rows.count > 0, "{}: the file has no rows", path());
        let kinds = rows.places.iter().map(|&column| rows.cells.kind(column));
        let kept = args.keep.iter().cloned().zip(kinds);
        let header: Vec<(String, Kind)> = kept.chain(columns.header(&schema.target)).collect();
        for (place, (name, _)) in header.iter().enumerate() {
            let is_new = header[..place].iter().all(|(other, _)| other != name);
            ensure!(is_new, "two columns of the predictions would be named {}; leave one out of --keep", quoted(name));
        }
        let mut table = TableWriter::new(output, &header, as_parquet)?;
        while !rows.features.is_empty() && !interrupt::noted() {
            let mut kept = rows.kept.drain(..);
            for prediction in predictor.predict(schema, &rows.features) {
                let kept = kept.by_ref().take(args.keep.len());
                let row: Vec<Value> = kept.chain(columns.values(&schema.target, &prediction)).collect();
                table.add(&row)?;
            }
            drop(kept);
            rows.read().with_context(path)?;
        }
        if schema.blake3.is_some() && schema.blake3 == Some(source.hash()?) {
            note!("note: the run was trained on this very table, so the predictions are better than for new rows");
        }
        rows.tell_unknown();
        table.finish()
    }
}

/// How many rows are read at once.
const READ: usize = 1024;

/// The rows of a table, some at a time.
struct Rows<'a> {
    cells: Cells,
    encoder: Encoder<'a>,
    /// The inputs of the model.
    features: Vec<f32>,
    /// How many of them there are at most.
    most: usize,
    /// The places of the columns to keep.
    places: Vec<usize>,
    /// Their cells, row by row.
    kept: Vec<Value<'static>>,
    /// The rows that have been read.
    count: usize,
}

impl<'a> Rows<'a> {
    fn open(source: &Source, args: &PredictArgs, schema: &'a Schema) -> Result<Self> {
        let cells = Cells::open(source, &args.csv, |name| schema.reading(name))?;
        let (encoder, places) = (schema.encoder(&cells.header, &cells.readings)?, kept(&args.keep, &cells.header)?);
        for column in places.iter().copied().chain(encoder.places()) {
            cells.check(column)?;
        }
        Ok(Self {
            encoder,
            places,
            cells,
            features: Vec::new(),
            most: READ * schema.inputs(),
            kept: Vec::new(),
            count: 0,
        })
    }

    /// Reads the next rows; none at the end.
    fn read(&mut self) -> Result<()> {
        self.features.clear();
        while self.features.len() < self.most
            && let Some(row) = self.cells.next_row()?
        {
            self.count += 1;
            self.encoder.add(self.count, |column| row.cell(column), &mut self.features)?;
            self.kept.extend(self.places.iter().map(|&column| row.value(column).into_owned()));
        }
        Ok(())
    }

    fn tell_unknown(&self) {
        for unknown in self.encoder.unknown() {
            let (column, example) = (quoted(&unknown.column), quoted(&unknown.example));
            let (count, cells) = (unknown.count, unknown.cells);
            let as_what = if unknown.are_others { "others" } else { "missing" };
            note!(
                "note: column {column}: {count} of {cells} cells hold what the model has not seen, such as {example}, and count as {as_what}"
            );
        }
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
