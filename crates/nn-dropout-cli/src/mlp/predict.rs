//! `nn-dropout predict`: a trained perceptron on new rows, with Monte Carlo dropout if asked.
//!
//! Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML 2016.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use nn_dropout::Generator;

use super::data::{Schema, Target};
use super::model::Mlp;
use super::training::sizes;
use crate::files::{read, read_text, write};
use crate::run::{CONFIG, RunDir, SCHEMA, WEIGHTS};
use crate::settings::{MlpSettings, count, whole};
use crate::training::rng;
use crate::weights;

/// Let a trained perceptron predict the rows of a table
///
/// Writes a CSV file with a row for each: `class,probability`, or `prediction` of a regression. With --samples each row is
/// predicted as often with dropout on, and the mean is given with how uncertain the network is: `entropy` of the mean probabilities
/// (all uncertainty, in nats) and `mutual_information` (what more training data would take away), or the `deviation` of the
/// predicted numbers.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct PredictArgs {
    /// The folder of a run of `train --model mlp`
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// A CSV file with the columns that the run has learned from; others do not matter
    #[arg(long, value_name = "FILE.csv")]
    data: PathBuf,
    /// How often to predict with dropout on [default: once with dropout off]
    #[arg(long, value_name = "N", value_parser = count)]
    samples: Option<NonZeroUsize>,
    /// Determines the masks of the samples
    #[arg(long, value_name = "N", default_value = "42", value_parser = whole::<u64>)]
    seed: u64,
    /// Where to write to [default: the terminal]
    #[arg(long, value_name = "FILE.csv")]
    output: Option<PathBuf>,
}

pub fn predict(args: &PredictArgs) -> Result<()> {
    let run = RunDir::open(&args.run)?;
    let settings: MlpSettings = toml::from_str(&read_text(&run.file(CONFIG))?)
        .map_err(|_| anyhow!("the run in {} is not of a perceptron", args.run.display()))?;
    let (schema, weights) = (run.file(SCHEMA), run.file(WEIGHTS));
    let schema: Schema = serde_json::from_slice(&read(&schema)?).with_context(|| schema.display().to_string())?;
    let rows = schema.read_features(&args.data)?;

    // Dropout acts on autodiff devices only.
    let device = if args.samples.is_some() { Device::flex().autodiff() } else { Device::flex() };
    let generator = Generator::philox(args.seed);
    let model = Mlp::new(&sizes(&settings, &schema), settings.dropout, &mut rng(0, 0), &generator, &device);
    let model = weights::load(model, read(&weights)?, |_| false).with_context(|| weights.display().to_string())?;
    let count = rows.len() / schema.features.len();
    let x = Tensor::<2>::from_data(TensorData::new(rows, [count, schema.features.len()]), &device);
    let samples = (0..args.samples.map_or(1, NonZeroUsize::get)).map(|_| {
        let outputs = model.forward(x.clone());
        let outputs = if let Target::Classes(_) = schema.target { softmax(outputs, 1) } else { outputs };
        outputs.into_data().iter::<f64>().collect::<Vec<f64>>()
    });
    let samples: Vec<Vec<f64>> = samples.collect();

    let table = table(&schema, &samples, args.samples.is_some())?;
    match &args.output {
        Some(path) => write(path, &table),
        None => Ok(stdout().lock().write_all(&table)?),
    }
}

/// The predictions as CSV, from each sample's outputs, row by row.
fn table(schema: &Schema, samples: &[Vec<f64>], uncertain: bool) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let outputs = schema.outputs();
    let rows = samples[0].len() / outputs;
    let header: &[&str] = match (&schema.target, uncertain) {
        (Target::Classes(_), false) => &["class", "probability"],
        (Target::Classes(_), true) => &["class", "probability", "entropy", "mutual_information"],
        (Target::Numbers(_), false) => &["prediction"],
        (Target::Numbers(_), true) => &["prediction", "deviation"],
    };
    writer.write_record(header)?;
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / samples.len() as f64;
    for row in 0..rows {
        let of_row = row * outputs..(row + 1) * outputs;
        let means: Vec<f64> = of_row.clone().map(|i| mean(&mut samples.iter().map(|sample| sample[i]))).collect();
        let mut cells = Vec::new();
        match &schema.target {
            Target::Classes(names) => {
                let best =
                    (0..outputs).rev().max_by(|&a, &b| means[a].total_cmp(&means[b])).context("there are classes")?;
                cells.extend([names[best].clone(), means[best].to_string()]);
                if uncertain {
                    let total = entropy(&means);
                    let within = mean(&mut samples.iter().map(|sample| entropy(&sample[of_row.clone()])));
                    // Rounding alone could make it negative.
                    cells.extend([total.to_string(), (total - within).max(0.0).to_string()]);
                }
            }
            Target::Numbers(column) => {
                cells.push(column.restore(means[0]).to_string());
                if uncertain {
                    let variance = mean(&mut samples.iter().map(|sample| (sample[row] - means[0]).powi(2)));
                    cells.push((column.unit() * variance.sqrt()).to_string());
                }
            }
        }
        writer.write_record(&cells)?;
    }
    writer.into_inner().map_err(|error| anyhow!("{error}"))
}

/// In nats.
fn entropy(probabilities: &[f64]) -> f64 {
    probabilities.iter().filter(|&&p| p > 0.0).map(|&p| -p * p.ln()).sum()
}
