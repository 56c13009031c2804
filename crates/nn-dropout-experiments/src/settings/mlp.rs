//! The settings of a perceptron.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use nn_dropout::Config;

use super::choices::{DeviceName, Task};
use super::csv::{CsvOptions, Decimal, Encoding, Separator};
use super::numbers::{LearningRate, Share, default_count, default_probability};
use super::options::{Options, settings};
use crate::metric::Metric;

/// The name of the built-in table.
pub const DIGITS: &str = "digits";

settings! {
/// Everything that determines what a run computes.
MlpSettings {
    /// `digits`, or the path of a table.
    data: PathBuf = PathBuf::from(DIGITS),
    /// The target column of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    ignore: Vec<String> = Vec::new(),
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    categories: Vec<String> = Vec::new(),
    /// The column whose rows of one value stay in one part.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    separator: Option<Separator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decimal: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    task: Task = Task::Classification,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<Metric>,
    dropout: Config = default_probability(0.5).into(),
    /// Dropout of the features.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_dropout: Option<Config>,
    hidden: Vec<NonZeroUsize> = vec![default_count(512); 2],
    epochs: NonZeroUsize = default_count(30),
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_interval: Option<NonZeroUsize>,
    batch_size: NonZeroUsize = default_count(32),
    learning_rate: LearningRate = LearningRate::default_of(3e-3),
    #[serde(skip_serializing_if = "Option::is_none")]
    test_fraction: Option<Share>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folds: Option<NonZeroUsize>,
    /// The fold that is the validation part, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    fold: Option<NonZeroUsize>,
    /// Without folds.
    #[serde(skip_serializing_if = "Option::is_none")]
    train_fraction: Option<Share>,
    #[serde(with = "super::numbers::signed_seed")]
    seed: u64 = 42,
    #[serde(skip_serializing_if = "DeviceName::is_cpu", default)]
    device: DeviceName = DeviceName::Cpu,
}
}

impl MlpSettings {
    /// The metric that says how good a model is.
    pub fn metric(&self) -> Metric {
        self.metric.unwrap_or(match self.task {
            Task::Classification => Metric::Accuracy,
            Task::Regression => Metric::R2,
        })
    }

    /// The share of the rows to train on, of those that are not for the test.
    pub fn train_share(&self) -> f64 {
        match (self.folds, self.train_fraction) {
            (Some(folds), _) => 1.0 - 1.0 / folds.get() as f64,
            (None, fraction) => fraction.map_or(0.25, Share::get),
        }
    }

    /// Whether nothing is dropped.
    pub fn is_without_dropout(&self) -> bool {
        std::iter::once(&self.dropout).chain(&self.input_dropout).all(|layer| layer.amount() == 0.0)
    }

    /// Refuses settings that exclude each other.
    pub fn check(&self) -> Result<()> {
        let metrics: &[Metric] =
            if self.task == Task::Classification { &Metric::OF_CLASSES } else { &Metric::OF_NUMBERS };
        let names: Vec<_> = metrics.iter().filter_map(ValueEnum::to_possible_value).collect();
        let names: Vec<&str> = names.iter().map(PossibleValue::get_name).collect();
        ensure!(metrics.contains(&self.metric()), "the metrics of this task are {}", names.join(", "));
        let Some(folds) = self.folds else {
            ensure!(self.fold.is_none(), "--fold needs --folds, the number of all folds");
            return Ok(());
        };
        ensure!(folds.get() > 1, "expected at least 2 folds, but got {folds}");
        ensure!(self.train_fraction.is_none(), "--folds and --train-fraction exclude each other");
        ensure!(self.fold.is_none_or(|fold| fold <= folds), "expected a fold from 1 to {folds}");
        Ok(())
    }

    /// Says what the split is where nothing was said.
    pub fn complete(&mut self) {
        if self.folds.is_some() {
            self.fold = self.fold.or(NonZeroUsize::new(1));
        } else {
            self.train_fraction = self.train_fraction.or(Some(Share::default_of(0.25)));
        }
    }

    /// The number of epochs from one measurement to the next.
    pub fn eval_interval(&self) -> usize {
        self.eval_interval.map_or_else(|| self.epochs.get().div_ceil(10), NonZeroUsize::get)
    }

    /// The number of measurements of a whole training.
    pub fn measurements(&self) -> usize {
        self.epochs.get().div_ceil(self.eval_interval())
    }

    /// What is said of a CSV file.
    pub fn csv(&self) -> CsvOptions {
        CsvOptions { separator: self.separator, decimal: self.decimal, encoding: self.encoding }
    }
}
