//! What the training loops have in common.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The most weights of a model: with gradients and AdamW's two moments, 16 GB.
pub const MAX_PARAMETERS: usize = 1_000_000_000;

/// A model in training.
pub trait Training {
    /// Trains until the model has been measured again. `None` at the end, or when the program is to stop.
    fn advance(&mut self) -> Result<Option<Metrics>>;

    /// How many epochs, or steps, it takes in all.
    fn length(&self) -> usize;

    /// All that the training is now, to go on from; `None` where beginning again costs little.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// The model after an epoch, or a step, in eval mode.
#[derive(Clone, Copy)]
pub struct Metrics {
    pub epoch: usize,
    pub train: Score,
    pub validation: Score,
}

/// How good the model is on a part of the data.
#[derive(Clone, Copy)]
pub struct Score {
    /// The mean cross-entropy of classes or tokens; the root of the mean squared error of numbers, in their unit.
    pub loss: f64,
    /// What the [`Metric`] says.
    pub metric: f64,
}

/// What tells people how good a model is.
#[derive(Clone, Copy, PartialEq)]
pub enum Metric {
    /// The share of rows whose class is right.
    Accuracy,
    /// The share of the numbers' variance that is explained.
    R2,
    /// The mean cross-entropy of the next token, in nats.
    CrossEntropy,
}

impl Metric {
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::R2 => "R2",
            Self::CrossEntropy => "cross-entropy",
        }
    }

    /// What [`Score::loss`] is called beside it.
    pub fn loss_name(self) -> &'static str {
        match self {
            Self::Accuracy | Self::CrossEntropy => "cross-entropy",
            Self::R2 => "RMSE",
        }
    }

    /// A value for people.
    pub fn shown(self, value: f64) -> String {
        let unit = if self == Self::Accuracy { " %" } else { "" };
        self.difference(value) + unit
    }

    /// A difference of two values for people, in points where they are shares.
    pub fn difference(self, value: f64) -> String {
        match self {
            Self::Accuracy => format!("{:.1}", 100.0 * value),
            Self::R2 => format!("{value:.3}"),
            Self::CrossEntropy => format!("{value:.4}"),
        }
    }

    /// What an axis is called that shows it, and what values are multiplied by there.
    pub fn axis(self) -> (&'static str, f64) {
        if self == Self::Accuracy { ("accuracy, %", 100.0) } else { (self.name(), 1.0) }
    }

    /// A value such that more is better.
    pub fn merit(self, value: f64) -> f64 {
        match self {
            Self::Accuracy | Self::R2 => value,
            Self::CrossEntropy => -value,
        }
    }
}

/// Random numbers for one of the things that a seed is spent on. Each has a stream of its own: a change to one leaves the others
/// as they were.
pub fn rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Shown on a terminal only: of so many `unit`s.
pub fn progress_bar(unit: &str, count: usize, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template(&format!("{{bar:30}} {unit} {{pos}}/{{len}}, {{eta}} left, {{prefix}}{{msg}}"));
    let style = style.expect("the template is well-formed");
    ProgressBar::new(count as u64).with_style(style)
}
