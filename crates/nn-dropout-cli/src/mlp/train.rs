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

use super::data::Table;
use super::model::Mlp;
use super::report;
use crate::run::{Ended, REPORT, RunDir, WEIGHTS};
use crate::settings::{MlpSettings, Output, to_toml};
use crate::training::{MAX_PARAMETERS, progress_bar, rng};
use crate::{interrupt, weights};

/// A row of `metrics.csv`: the model after an epoch, in eval mode.
#[derive(Clone, Copy, Serialize)]
pub struct Metrics {
    pub epoch: usize,
    pub train_loss: f64,
    pub train_accuracy: f64,
    pub val_loss: f64,
    pub val_accuracy: f64,
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
    let sizes: Vec<usize> = iter::once(split.train.feature_count)
        .chain(settings.hidden.iter().map(|size| size.get()))
        .chain(iter::once(split.train.classes.len()))
        .collect();
    let parameters = Mlp::parameters(&sizes);
    ensure!(
        parameters <= MAX_PARAMETERS,
        "these hidden layers make {parameters} parameters, and at most {MAX_PARAMETERS} fit"
    );
    let data = settings.data.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{data}-p{}-seed{}", settings.dropout, settings.seed);
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
    let progress = progress_bar("epoch", settings.epochs.get(), 0, output.quiet);
    let mut history = Vec::new();
    'epochs: for epoch in 1..=settings.epochs.get() {
        order.shuffle(&mut batches);
        for rows in order.chunks(settings.batch_size.get()) {
            if interrupt::noted() {
                break 'epochs;
            }
            let (x, y) = batch(&split.train, rows, &device.clone().autodiff());
            let logits = model.forward(x);
            let loss = CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, y);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            // Falls linearly to 0, which lets the noise of dropout average out in the end.
            let learning_rate = settings.learning_rate.get() * (1.0 - step as f64 / steps as f64);
            model = optimizer.step(learning_rate, model, gradients);
            step += 1;
        }
        let valid = model.valid();
        let (train_loss, train_accuracy) = evaluate(&valid, &split.train, &device);
        let (val_loss, val_accuracy) = evaluate(&valid, &split.validation, &device);
        let metrics = Metrics { epoch, train_loss, train_accuracy, val_loss, val_accuracy };
        rows.add(&metrics)?;
        history.push(metrics);
        progress.set_message(format!("validation accuracy {:.1} %", 100.0 * val_accuracy));
        progress.inc(1);
    }
    progress.finish_and_clear();

    let Some(last) = history.last() else {
        println!("interrupted before the first epoch ended; the settings are in {}", run.path().display());
        return Ok(Ended::Interrupted);
    };
    run.write(WEIGHTS, &weights::to_bytes(&model.valid())?)?;
    run.write(REPORT, report::html(settings, &split, &history, run.path())?.as_bytes())?;
    let ended = if history.len() < settings.epochs.get() { Ended::Interrupted } else { Ended::Finished };
    if let Ended::Interrupted = ended {
        println!("interrupted after {} of {} epochs", history.len(), settings.epochs);
    }
    println!("training accuracy    {:5.1} %", 100.0 * last.train_accuracy);
    println!("validation accuracy  {:5.1} %", 100.0 * last.val_accuracy);
    println!("gap                  {:5.1} points", 100.0 * (last.train_accuracy - last.val_accuracy));
    println!("results in {}, curves in {}", run.path().display(), run.file(REPORT).display());
    Ok(ended)
}

fn batch(table: &Table, rows: &[usize], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let features: Vec<f32> = rows.iter().flat_map(|&row| table.row(row)).copied().collect();
    let targets: Vec<i64> = rows.iter().map(|&row| table.targets[row] as i64).collect();
    (
        Tensor::from_data(TensorData::new(features, [rows.len(), table.feature_count]), device),
        Tensor::from_data(TensorData::new(targets, [rows.len()]), device),
    )
}

/// Mean loss and accuracy of a model in eval mode over all rows of a table.
fn evaluate(model: &Mlp, table: &Table, device: &Device) -> (f64, f64) {
    const ROWS: usize = 1024;
    let rows: Vec<usize> = (0..table.len()).collect();
    let (mut loss, mut correct) = (0.0, 0.0);
    for rows in rows.chunks(ROWS) {
        let (x, y) = batch(table, rows, device);
        let logits = model.forward(x);
        let hits = logits.clone().argmax(1).squeeze_dim::<1>(1).equal(y.clone()).int().sum();
        correct += hits.into_scalar::<f64>();
        let mean = CrossEntropyLossConfig::new().init(device).forward(logits, y);
        loss += mean.into_scalar::<f64>() * rows.len() as f64;
    }
    (loss / table.len() as f64, correct / table.len() as f64)
}
