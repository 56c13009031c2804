//! How good a model is: its scores, and how they are shown.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

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

/// The number that says how good a model is. Those of classes are what scikit-learn computes under these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The share of rows whose class is right.
    Accuracy,
    /// The mean over classes of the share of their rows that are found.
    BalancedAccuracy,
    /// The mean over classes of the harmonic mean of precision and recall.
    MacroF1,
    /// The mean over classes of the area under the ROC curve, of the class against the others.
    RocAuc,
    /// The mean cross-entropy of the classes, in nats.
    LogLoss,
    /// The expected calibration error, over 15 bins: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML
    /// 2017.
    CalibrationError,
    /// The share of the numbers' variance that is explained.
    R2,
    /// The root of the mean squared error, in the unit of the numbers.
    Rmse,
    /// The mean absolute error, in the unit of the numbers.
    Mae,
    /// The mean cross-entropy of the next token, in nats.
    #[value(skip)]
    CrossEntropy,
}

/// All metrics of one part of the data.
pub type Scores = Vec<(Metric, f64)>;

impl Metric {
    pub const OF_CLASSES: [Self; 6] =
        [Self::Accuracy, Self::BalancedAccuracy, Self::MacroF1, Self::RocAuc, Self::LogLoss, Self::CalibrationError];
    pub const OF_NUMBERS: [Self; 3] = [Self::R2, Self::Rmse, Self::Mae];

    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::MacroF1 => "macro F1",
            Self::RocAuc => "ROC AUC",
            Self::LogLoss => "log loss",
            Self::CalibrationError => "calibration error",
            Self::R2 => "R2",
            Self::Rmse => "RMSE",
            Self::Mae => "MAE",
            Self::CrossEntropy => "cross-entropy",
        }
    }

    /// The name in the header of a file, and for other programs.
    pub fn key(self) -> String {
        self.name().to_lowercase().replace([' ', '-'], "_")
    }

    /// The name of the [`Score::loss`] that goes with it.
    pub fn loss_name(self) -> &'static str {
        if Self::OF_NUMBERS.contains(&self) { "RMSE" } else { "cross-entropy" }
    }

    /// Whether it is a share, shown in percent.
    fn is_share(self) -> bool {
        matches!(self, Self::Accuracy | Self::BalancedAccuracy | Self::CalibrationError)
    }

    /// A value, formatted.
    pub fn shown(self, value: f64) -> String {
        let unit = if self.is_share() { " %" } else { "" };
        self.difference(value) + unit
    }

    /// A difference of two values, formatted; in points if they are shares.
    pub fn difference(self, value: f64) -> String {
        // No minus before what is rounded to 0.
        let shown = |digits: usize, value: f64| {
            let text = format!("{value:.digits$}");
            if text.bytes().all(|byte| b"-0.".contains(&byte)) { text.replace('-', "") } else { text }
        };
        match self {
            Self::Accuracy | Self::BalancedAccuracy | Self::CalibrationError => shown(1, 100.0 * value),
            Self::MacroF1 | Self::RocAuc | Self::R2 => shown(3, value),
            Self::LogLoss | Self::CrossEntropy => shown(4, value),
            // Their size is the target's.
            Self::Rmse | Self::Mae => {
                let digits = if value == 0.0 || !value.is_finite() { 0.0 } else { value.abs().log10().floor() };
                shown((3.0 - digits).clamp(0.0, 12.0) as usize, value)
            }
        }
    }

    /// What differences are counted in.
    pub fn points(self) -> &'static str {
        if self.is_share() { " points" } else { "" }
    }

    /// The name of its axis in a chart, and the factor that values are multiplied by there.
    pub fn axis(self) -> (String, f64) {
        if self.is_share() { (format!("{}, %", self.name()), 100.0) } else { (self.name().to_owned(), 1.0) }
    }

    /// Whether less is better.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::LogLoss | Self::CalibrationError | Self::Rmse | Self::Mae | Self::CrossEntropy)
    }

    /// The value with a sign that makes more better.
    pub fn merit(self, value: f64) -> f64 {
        if self.is_loss() { -value } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_with_the_digits_that_matter() {
        assert_eq!(Metric::Accuracy.shown(0.9564), "95.6 %");
        assert_eq!(Metric::Accuracy.difference(-0.000_01), "0.0");
        assert_eq!(Metric::RocAuc.shown(0.987_65), "0.988");
        assert_eq!(
            [0.012_346, 1.234_56, 54_321.9].map(|value| Metric::Mae.shown(value)),
            ["0.01235", "1.235", "54322"]
        );
        assert_eq!(Metric::MacroF1.key(), "macro_f1");
    }
}
