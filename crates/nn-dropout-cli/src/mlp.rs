//! What is in the folder of a perceptron's run: written after training, read to predict.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use nn_dropout::Generator;
use nn_dropout_experiments::io::files::{read, read_text};
use nn_dropout_experiments::metric::Metrics;
use nn_dropout_experiments::mlp::model::{ACTIVATIONS, Mlp, new_model, sizes};
use nn_dropout_experiments::mlp::trainer::MlpTrainer;
use nn_dropout_experiments::settings::{MlpSettings, Settings, Task};
use nn_dropout_experiments::table::Schema;
use nn_dropout_experiments::trainer::{Trainer, rng};

use crate::io::run_dir::{CONFIG, METRICS, REPORT, RunDir, SCHEMA, WEIGHTS};
use crate::io::weights;

/// Trains, and writes everything but the report. Without any metrics the training was interrupted before its first epoch ended, and
/// nothing else is written. After an interrupt the model is measured if an epoch has ended since the last time.
pub fn train(run: &RunDir, settings: &MlpSettings, trainer: &mut MlpTrainer) -> Result<Vec<Metrics>> {
    let loss = match settings.task {
        Task::Classification => "loss",
        Task::Regression => "rmse",
    };
    let metric = settings.metric().key();
    let names = [("train", loss), ("train", &metric), ("val", loss), ("val", &metric)];
    let [train_loss, train, val_loss, val] = names.map(|(part, name)| format!("{part}_{name}"));
    let mut rows = run.rows(["epoch".to_owned(), train_loss, train, val_loss, val])?;
    let mut history: Vec<Metrics> = Vec::new();
    loop {
        let measured = history.last().map_or(0, |last| last.epoch);
        let metrics = match trainer.advance()? {
            Some(metrics) => metrics,
            None if measured < trainer.epoch() => trainer.measure(),
            None => break,
        };
        let Metrics { epoch, train, validation } = metrics;
        rows.add((epoch, train.loss, train.metric, validation.loss, validation.metric))?;
        history.push(metrics);
    }
    if !history.is_empty() {
        run.write(SCHEMA, &serde_json::to_vec_pretty(&trainer.split().schema)?)?;
        run.write(WEIGHTS, &weights::to_bytes(&trainer.model())?)?;
    }
    Ok(history)
}

/// Whether a folder holds the whole run with these settings, in which the model was measured so many times.
pub fn is_whole(folder: &Path, config: &str, measurements: usize) -> bool {
    let has = |name: &str, holds: &dyn Fn(&str) -> bool| read_text(&folder.join(name)).is_ok_and(|text| holds(&text));
    has(CONFIG, &|text| text == config)
        && has(METRICS, &|text| text.lines().count() == 1 + measurements)
        && folder.join(REPORT).exists()
}

/// The settings and the schema of the run in a folder.
pub fn load_settings(run: &Path) -> Result<(MlpSettings, Schema)> {
    RunDir::open(run)?;
    let Settings::Mlp(settings) = Settings::read(&run.join(CONFIG))? else {
        bail!("the run in {} is not of a perceptron; a GPT continues texts with `generate`", run.display());
    };
    let path = run.join(SCHEMA);
    let schema = serde_json::from_slice(&read(&path)?).with_context(|| path.display().to_string())?;
    Ok((settings, schema))
}

/// The trained model of the run, in eval mode.
pub fn load_model(run: &Path, settings: &MlpSettings, schema: &Schema) -> Result<Mlp> {
    let generator = Generator::philox(0);
    ACTIVATIONS.check(&settings.dropout, &generator).with_context(|| run.join(CONFIG).display().to_string())?;
    let model = new_model(&sizes(settings, schema), settings, &mut rng(0, 0), &generator, &Device::flex());
    let weights = run.join(WEIGHTS);
    weights::load(model, read(&weights)?, |_| false).with_context(|| weights.display().to_string())
}
