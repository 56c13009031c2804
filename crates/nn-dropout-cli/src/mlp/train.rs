//! `nn-dropout train --model mlp`.

use std::path::Path;

use anyhow::Result;
use maud::Markup;
use serde::Serialize;

use super::data::Table;
use super::report;
use super::training::MlpTraining;
use crate::files::read_text;
use crate::run::{CONFIG, Ended, METRICS, REPORT, Rows, RunDir, SCHEMA, WEIGHTS};
use crate::settings::{MlpSettings, Output, Task, to_toml};
use crate::training::{Metrics, Training, progress_bar};
use crate::{interrupt, run, weights};

/// A row of `metrics.csv` where classes are predicted.
#[derive(Serialize)]
struct ClassificationRow {
    epoch: usize,
    train_loss: f64,
    train_accuracy: f64,
    val_loss: f64,
    val_accuracy: f64,
}

/// The same where numbers are.
#[derive(Serialize)]
struct RegressionRow {
    epoch: usize,
    train_rmse: f64,
    train_r2: f64,
    val_rmse: f64,
    val_r2: f64,
}

/// Nothing is written before all input has been checked.
pub fn train(settings: &MlpSettings, output: &Output) -> Result<Ended> {
    let table = Table::load(settings)?;
    let bar = progress_bar("epoch", settings.epochs.get(), output.quiet);
    let mut training = MlpTraining::new(settings.clone(), &table, bar.clone())?;
    let name = run::name(&settings.data, settings.dropout, settings.seed);
    let run = RunDir::create(&name, &to_toml(settings)?, output)?;
    interrupt::listen()?;
    let history = fill(&run, settings, &table, &mut training)?;
    bar.finish_and_clear();

    let Some(last) = history.last() else {
        println!("interrupted before the first epoch ended; the settings are in {}", run.path().display());
        return Ok(Ended::Interrupted);
    };
    let is_finished = last.epoch == settings.epochs.get();
    if !is_finished {
        println!("interrupted after {} of {} epochs", last.epoch, settings.epochs);
    }
    let metric = settings.task.metric();
    for (part, score) in [("training", last.train), ("validation", last.validation)] {
        let (title, shown) = (format!("{part} {}", metric.name()), metric.shown(score.metric));
        match settings.task {
            Task::Classification => println!("{title:<20} {shown:>7}"),
            Task::Regression => println!("{title:<13} {shown:>7}, {} {:.4}", metric.loss_name(), score.loss),
        }
    }
    if settings.task == Task::Classification {
        println!("{:<20} {:>5.1} points", "gap", 100.0 * (last.train.metric - last.validation.metric));
    }
    println!("results in {}, curves in {}", run.path().display(), run.file(REPORT).display());
    Ok(if is_finished { Ended::Finished } else { Ended::Interrupted })
}

/// Trains, and puts all that comes of it into a folder. No metrics, no results: it was interrupted too early.
fn fill(run: &RunDir, settings: &MlpSettings, table: &Table, training: &mut MlpTraining) -> Result<Vec<Metrics>> {
    let mut rows = run.rows()?;
    let mut history = Vec::new();
    while let Some(metrics) = training.advance()? {
        add(&mut rows, settings.task, metrics)?;
        history.push(metrics);
    }
    if !history.is_empty() {
        let split = training.split();
        run.write(SCHEMA, &serde_json::to_vec_pretty(&split.schema)?)?;
        run.write(WEIGHTS, &weights::to_bytes(&training.model())?)?;
        run.write(REPORT, report::html(settings, table, split, &history, run.path())?.as_bytes())?;
    }
    Ok(history)
}

/// The run with these settings in a folder, made unless it is there, and what its report says of uncertainty. `None` if the program
/// is to stop before it is there.
pub fn keep(settings: &MlpSettings, table: &Table, folder: &Path, quiet: bool) -> Result<Option<Markup>> {
    let bar = progress_bar("of the chosen network, epoch", settings.epochs.get(), quiet);
    let mut training = MlpTraining::new(settings.clone(), table, bar.clone())?;
    let config = to_toml(settings)?;
    let has = |name: &str, holds: &dyn Fn(&str) -> bool| read_text(&folder.join(name)).is_ok_and(|text| holds(&text));
    let is_whole = || {
        has(CONFIG, &|text| text == config)
            && has(METRICS, &|text| text.lines().count() == 1 + settings.epochs.get())
            && folder.join(REPORT).exists()
    };
    if !is_whole() {
        let output = Output { out: Some(folder.to_owned()), force: true, quiet, resume: false };
        fill(&RunDir::create("", &config, &output)?, settings, table, &mut training)?;
        bar.finish_and_clear();
    }
    if is_whole() { report::uncertainty(settings, training.split(), folder).map(Some) } else { Ok(None) }
}

fn add(rows: &mut Rows, task: Task, Metrics { epoch, train, validation }: Metrics) -> Result<()> {
    match task {
        Task::Classification => rows.add(&ClassificationRow {
            epoch,
            train_loss: train.loss,
            train_accuracy: train.metric,
            val_loss: validation.loss,
            val_accuracy: validation.metric,
        }),
        Task::Regression => rows.add(&RegressionRow {
            epoch,
            train_rmse: train.loss,
            train_r2: train.metric,
            val_rmse: validation.loss,
            val_r2: validation.metric,
        }),
    }
}
