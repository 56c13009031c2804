//! How good a model is: its scores, and how they are shown.

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

/// The number that says how good a model is.
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

    /// The name of the [`Score::loss`] that goes with it.
    pub fn loss_name(self) -> &'static str {
        match self {
            Self::Accuracy | Self::CrossEntropy => "cross-entropy",
            Self::R2 => "RMSE",
        }
    }

    /// A value, formatted.
    pub fn shown(self, value: f64) -> String {
        let unit = if self == Self::Accuracy { " %" } else { "" };
        self.difference(value) + unit
    }

    /// A difference of two values, formatted; in points if they are shares.
    pub fn difference(self, value: f64) -> String {
        match self {
            Self::Accuracy => format!("{:.1}", 100.0 * value),
            Self::R2 => format!("{value:.3}"),
            Self::CrossEntropy => format!("{value:.4}"),
        }
    }

    /// The name of its axis in a chart, and the factor that values are multiplied by there.
    pub fn axis(self) -> (&'static str, f64) {
        if self == Self::Accuracy { ("accuracy, %", 100.0) } else { (self.name(), 1.0) }
    }

    /// The value with a sign that makes more better.
    pub fn merit(self, value: f64) -> f64 {
        match self {
            Self::Accuracy | Self::R2 => value,
            Self::CrossEntropy => -value,
        }
    }
}
