//! The settings of a perceptron.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nn_dropout::Config;

use super::choices::{DeviceName, Task};
use super::csv::{CsvOptions, Decimal, Encoding, Separator};
use super::numbers::{LearningRate, TrainFraction, default_count, default_probability};
use super::options::{Options, settings};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    separator: Option<Separator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decimal: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    task: Task = Task::Classification,
    dropout: Config = default_probability(0.5).into(),
    hidden: Vec<NonZeroUsize> = vec![default_count(512); 2],
    epochs: NonZeroUsize = default_count(30),
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_interval: Option<NonZeroUsize>,
    batch_size: NonZeroUsize = default_count(32),
    learning_rate: LearningRate = LearningRate::default_of(3e-3),
    train_fraction: TrainFraction = TrainFraction::default_of(0.25),
    #[serde(with = "super::numbers::signed_seed")]
    seed: u64 = 42,
    #[serde(skip_serializing_if = "DeviceName::is_cpu", default)]
    device: DeviceName = DeviceName::Cpu,
}
}

impl MlpSettings {
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
