//! The training loop of a perceptron.

use std::iter;

use anyhow::{Result, ensure};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_dropout::Generator;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::data::{Schema, Table, Target, Targets};
use super::model::Mlp;
use super::report;
use crate::run::{Ended, REPORT, Rows, RunDir, SCHEMA, WEIGHTS};
use crate::settings::{MlpSettings, Output, Task, to_toml};
use crate::training::{MAX_PARAMETERS, progress_bar, rng};
use crate::{interrupt, run, weights};

/// The model after an epoch, in eval mode.
#[derive(Clone, Copy)]
pub struct Metrics {
    pub epoch: usize,
    pub train: Score,
    pub validation: Score,
}

/// How good the model is on a part of the table.
#[derive(Clone, Copy)]
pub struct Score {
    /// The mean cross-entropy of classes; the root of the mean squared error of numbers, in their unit.
    pub loss: f64,
    /// The share of rows whose class is right; R2, the share of the numbers' variance that is explained.
    pub metric: f64,
}

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

impl Metrics {
    fn add_to(self, rows: &mut Rows, task: Task) -> Result<()> {
        let Self { epoch, train, validation } = self;
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
}

/// What the seed is spent on, each from a stream of its own: a change to one leaves the others as they were.
#[derive(Clone, Copy)]
enum Stream {
    Split,
    Weights,
    Batches,
}

/// Nothing is written before all input has been checked.
pub fn train(settings: &MlpSettings, output: &Output) -> Result<Ended> {
    let split = Table::load(settings)?.split(settings.train_fraction, &mut rng(settings.seed, Stream::Split as u64))?;
    let sizes = sizes(settings, &split.schema);
    let parameters = Mlp::parameters(&sizes);
    ensure!(
        parameters <= MAX_PARAMETERS,
        "these hidden layers make {parameters} parameters, and at most {MAX_PARAMETERS} fit"
    );
    let name = run::name(&settings.data, settings.dropout, settings.seed);
    let run = RunDir::create(&name, &to_toml(settings)?, output)?;
    let mut rows = run.rows()?;
    interrupt::listen()?;

    let device = Device::flex();
    let generator = Generator::philox(settings.seed);
    let mut initial = rng(settings.seed, Stream::Weights as u64);
    let mut model = Mlp::new(&sizes, settings.dropout, &mut initial, &generator, &device.clone().autodiff());
    let mut optimizer = AdamWConfig::new().init();

    let mut order: Vec<usize> = (0..split.train.len()).collect();
    let mut batches = rng(settings.seed, Stream::Batches as u64);
    let batches_per_epoch = split.train.len().div_ceil(settings.batch_size.get());
    let steps = settings.epochs.get() * batches_per_epoch;
    let mut step = 0usize;
    let unit = if let Target::Numbers(column) = &split.schema.target { column.unit() } else { 1.0 };
    let progress = progress_bar("epoch", settings.epochs.get(), 0, output.quiet);
    let mut history = Vec::new();
    'epochs: for epoch in 1..=settings.epochs.get() {
        order.shuffle(&mut batches);
        for rows in order.chunks(settings.batch_size.get()) {
            if interrupt::noted() {
                break 'epochs;
            }
            let device = device.clone().autodiff();
            let outputs = model.forward(features(&split.train, rows, &device));
            let loss = loss(outputs, &split.train.targets, rows, &device);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            // Falls linearly to 0, which lets the noise of dropout average out in the end.
            let learning_rate = settings.learning_rate.get() * (1.0 - step as f64 / steps as f64);
            model = optimizer.step(learning_rate, model, gradients);
            step += 1;
        }
        let valid = model.valid();
        let [train, validation] = [&split.train, &split.validation].map(|part| evaluate(&valid, part, unit, &device));
        let metrics = Metrics { epoch, train, validation };
        metrics.add_to(&mut rows, settings.task)?;
        history.push(metrics);
        progress.set_message(format!(
            "validation {} {}",
            metric_name(settings.task),
            shown(settings.task, validation.metric)
        ));
        progress.inc(1);
    }
    progress.finish_and_clear();

    let Some(last) = history.last() else {
        println!("interrupted before the first epoch ended; the settings are in {}", run.path().display());
        return Ok(Ended::Interrupted);
    };
    run.write(SCHEMA, &serde_json::to_vec_pretty(&split.schema)?)?;
    run.write(WEIGHTS, &weights::to_bytes(&model.valid())?)?;
    run.write(REPORT, report::html(settings, &split, &history, run.path())?.as_bytes())?;
    let ended = if history.len() < settings.epochs.get() { Ended::Interrupted } else { Ended::Finished };
    if let Ended::Interrupted = ended {
        println!("interrupted after {} of {} epochs", history.len(), settings.epochs);
    }
    let name = metric_name(settings.task);
    for (part, score) in [("training", last.train), ("validation", last.validation)] {
        let metric = shown(settings.task, score.metric);
        match settings.task {
            Task::Classification => println!("{:<20} {metric:>7}", format!("{part} {name}")),
            Task::Regression => {
                println!(
                    "{:<13} {metric:>7}, {} {:.4}",
                    format!("{part} {name}"),
                    loss_name(settings.task),
                    score.loss
                );
            }
        }
    }
    if settings.task == Task::Classification {
        println!("{:<20} {:>5.1} points", "gap", 100.0 * (last.train.metric - last.validation.metric));
    }
    println!("results in {}, curves in {}", run.path().display(), run.file(REPORT).display());
    Ok(ended)
}

/// What [`Score::metric`] is called.
pub fn metric_name(task: Task) -> &'static str {
    match task {
        Task::Classification => "accuracy",
        Task::Regression => "R2",
    }
}

/// What [`Score::loss`] is called.
pub fn loss_name(task: Task) -> &'static str {
    match task {
        Task::Classification => "cross-entropy",
        Task::Regression => "RMSE",
    }
}

/// A metric for people.
pub fn shown(task: Task, metric: f64) -> String {
    match task {
        Task::Classification => format!("{:.1} %", 100.0 * metric),
        Task::Regression => format!("{metric:.3}"),
    }
}

/// How many units the layers have, from the features to the outputs.
pub fn sizes(settings: &MlpSettings, schema: &Schema) -> Vec<usize> {
    let hidden = settings.hidden.iter().map(|size| size.get());
    iter::once(schema.features.len()).chain(hidden).chain(iter::once(schema.outputs())).collect()
}

fn features(table: &Table, rows: &[usize], device: &Device) -> Tensor<2> {
    let features: Vec<f32> = rows.iter().flat_map(|&row| table.row(row)).copied().collect();
    Tensor::from_data(TensorData::new(features, [rows.len(), table.columns.len()]), device)
}

/// The mean loss of a model's outputs for these rows: the cross-entropy, or the squared error.
fn loss(outputs: Tensor<2>, targets: &Targets, rows: &[usize], device: &Device) -> Tensor<1> {
    match targets {
        Targets::Classes { numbers, .. } => {
            let numbers: Vec<i64> = rows.iter().map(|&row| numbers[row] as i64).collect();
            let numbers = Tensor::<1, Int>::from_data(TensorData::new(numbers, [rows.len()]), device);
            CrossEntropyLossConfig::new().init(device).forward(outputs, numbers)
        }
        Targets::Numbers(numbers) => {
            let numbers: Vec<f32> = rows.iter().map(|&row| numbers[row]).collect();
            let numbers = Tensor::<2>::from_data(TensorData::new(numbers, [rows.len(), 1]), device);
            (outputs - numbers).square().mean()
        }
    }
}

/// The score of a model in eval mode over all rows of a table.
fn evaluate(model: &Mlp, table: &Table, unit: f64, device: &Device) -> Score {
    const ROWS: usize = 1024;
    let rows: Vec<usize> = (0..table.len()).collect();
    let (mut total, mut hits) = (0.0, 0.0);
    for rows in rows.chunks(ROWS) {
        let outputs = model.forward(features(table, rows, device));
        if let Targets::Classes { numbers, .. } = &table.targets {
            let guesses = outputs.clone().argmax(1).into_data();
            hits +=
                rows.iter().zip(guesses.iter::<i64>()).filter(|(row, guess)| numbers[**row] as i64 == *guess).count()
                    as f64;
        }
        total += loss(outputs, &table.targets, rows, device).into_scalar::<f64>() * rows.len() as f64;
    }
    let count = table.len() as f64;
    match &table.targets {
        Targets::Classes { .. } => Score { loss: total / count, metric: hits / count },
        Targets::Numbers(numbers) => {
            let mean = numbers.iter().map(|&number| f64::from(number)).sum::<f64>() / count;
            let around_mean: f64 = numbers.iter().map(|&number| (f64::from(number) - mean).powi(2)).sum();
            Score { loss: unit * (total / count).sqrt(), metric: 1.0 - total / around_mean }
        }
    }
}
