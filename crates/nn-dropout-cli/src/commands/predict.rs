//! `nn-dropout predict`: the predictions of a trained perceptron for new rows.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use burn::tensor::Device;

use super::Ended;
use crate::io::files::write;
use crate::mlp::prediction::{SEED, sample, to_csv};
use crate::mlp::run::{load_model, load_settings};
use crate::settings::numbers::{count, seed};

/// Predict the rows of a table with a trained perceptron
///
/// Writes a CSV file with one row per row of the table: `class,probability`, or `prediction` for a regression. With --samples each
/// row is predicted that many times with dropout on. The result is the mean and its uncertainty: the `entropy` of the mean
/// probabilities (all uncertainty, in nats) and the `mutual_information` (what more training data would remove), or the `deviation`
/// of the predicted numbers.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct PredictArgs {
    /// The folder of a run of `train --model mlp`
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// A CSV or Parquet file with the columns that the run was trained on; other columns are ignored
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The number of predictions per row with dropout on [default: one with dropout off]
    #[arg(long, value_name = "N", value_parser = count)]
    samples: Option<NonZeroUsize>,
    /// The seed of the masks of the samples
    #[arg(long, value_name = "N", default_value_t = SEED, value_parser = seed)]
    seed: u64,
    /// The file to write [default: the terminal]
    #[arg(long, value_name = "FILE.csv")]
    output: Option<PathBuf>,
}

pub fn predict(args: &PredictArgs) -> Result<Ended> {
    let (settings, schema) = load_settings(&args.run)?;
    let inputs = schema.read(&args.data)?;
    for (column, (count, text)) in &inputs.unknown {
        let cells = if *count == 1 { "1 cell holds".to_owned() } else { format!("{count} cells hold") };
        eprintln!("note: column `{column}`: {cells} what the model has not seen, as `{text}`, and count as missing");
    }
    // Dropout acts on autodiff devices only.
    let device = if args.samples.is_some() { Device::flex().autodiff() } else { Device::flex() };
    let model = load_model(&args.run, &settings, &schema, args.seed, &device)?;
    let samples = args.samples.map_or(1, NonZeroUsize::get);
    let predictions = sample(&model, &schema, &inputs.features, samples, &device);
    let table = to_csv(&schema.target, &predictions, args.samples.is_some())?;
    match &args.output {
        Some(path) => write(path, &table)?,
        None => stdout().lock().write_all(&table)?,
    }
    Ok(Ended::Finished)
}
