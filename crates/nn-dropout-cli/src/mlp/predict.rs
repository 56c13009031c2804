//! `nn-dropout predict`: a trained perceptron on new rows, with Monte Carlo dropout if asked.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use burn::module::Module;
use burn::tensor::Device;
use nn_dropout::Generator;

use super::model::Mlp;
use super::schema::{Schema, Target};
use super::training::sizes;
use super::uncertainty::{Prediction, sample};
use crate::files::{read, read_text, write};
use crate::numbers::{count, whole};
use crate::run::{CONFIG, RunDir, SCHEMA, WEIGHTS};
use crate::settings::MlpSettings;
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
    /// A CSV or Parquet file with the columns that the run has learned from; others do not matter
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// How often to predict with dropout on [default: once with dropout off]
    #[arg(long, value_name = "N", value_parser = count)]
    samples: Option<NonZeroUsize>,
    /// Determines the masks of the samples
    #[arg(long, value_name = "N", default_value_t = SEED, value_parser = whole::<u64>)]
    seed: u64,
    /// Where to write to [default: the terminal]
    #[arg(long, value_name = "FILE.csv")]
    output: Option<PathBuf>,
}

/// The seed of the masks if none is given.
pub const SEED: u64 = 42;

pub fn predict(args: &PredictArgs) -> Result<()> {
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
    let table = table(&schema.target, &predictions, args.samples.is_some())?;
    match &args.output {
        Some(path) => write(path, &table),
        None => Ok(stdout().lock().write_all(&table)?),
    }
}

/// What the run in a folder is of.
fn load_settings(run: &Path) -> Result<(MlpSettings, Schema)> {
    RunDir::open(run)?;
    let settings = toml::from_str(&read_text(&run.join(CONFIG))?)
        .map_err(|_| anyhow!("the run in {} is not of a perceptron", run.display()))?;
    let path = run.join(SCHEMA);
    let schema = serde_json::from_slice(&read(&path)?).with_context(|| path.display().to_string())?;
    Ok((settings, schema))
}

/// Its trained model, with masks from a seed.
pub fn load_model(run: &Path, settings: &MlpSettings, schema: &Schema, seed: u64, device: &Device) -> Result<Mlp> {
    let generator = Generator::philox(seed);
    let model = Mlp::new(&sizes(settings, schema), settings.dropout, &mut rng(0, 0), &generator, device);
    let weights = run.join(WEIGHTS);
    let model = weights::load(model, read(&weights)?, |_| false).with_context(|| weights.display().to_string())?;
    // Nothing is kept for a backward pass that never comes.
    Ok(model.no_grad())
}

/// The predictions as CSV.
fn table(target: &Target, predictions: &[Prediction], uncertain: bool) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header: &[&str] = match (target, uncertain) {
        (Target::Classes(_), false) => &["class", "probability"],
        (Target::Classes(_), true) => &["class", "probability", "entropy", "mutual_information"],
        (Target::Numbers(_), false) => &["prediction"],
        (Target::Numbers(_), true) => &["prediction", "deviation"],
    };
    writer.write_record(header)?;
    for prediction in predictions {
        let Prediction { outputs, uncertainty, mutual_information } = prediction;
        let cells = match target {
            Target::Classes(names) => {
                let class = prediction.class();
                let [probability, entropy, information] =
                    [&outputs[class], uncertainty, mutual_information].map(f64::to_string);
                vec![names[class].clone(), probability, entropy, information]
            }
            Target::Numbers(scale) => {
                vec![scale.restore(outputs[0]).to_string(), (scale.unit() * uncertainty).to_string()]
            }
        };
        writer.write_record(&cells[..header.len()])?;
    }
    writer.into_inner().map_err(|error| anyhow!("{error}"))
}
