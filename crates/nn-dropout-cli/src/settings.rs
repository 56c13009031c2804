//! What a training run is made of: options of the command line, over those of a TOML file, over defaults.

use std::fmt;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use nn_dropout::Probability;
use serde::{Deserialize, Serialize};

/// Train a multi-layer perceptron with dropout after each hidden layer
///
/// Without options it learns to read handwritten digits. Every option except --config can also stand in the TOML file
/// that --config names, with underscores for dashes; an option on the command line wins.
#[derive(clap::Args, Clone, Default, Deserialize)]
#[command(allow_negative_numbers = true)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct TrainArgs {
    /// The table to learn from: `digits` (1,797 handwritten digits, built in), or a CSV file with a header row and
    /// numeric features [default: digits]
    #[arg(long, value_name = "digits|FILE.csv")]
    data: Option<PathBuf>,
    /// The column of a CSV file to predict: integers or text, one class each
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// The probability that an activation is dropped [default: 0.5]
    #[arg(long, value_name = "P", value_parser = probability)]
    dropout: Option<Probability>,
    /// The sizes of the hidden layers [default: 512,512]
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = count)]
    hidden: Option<Vec<NonZeroUsize>>,
    /// How often to go through the training rows [default: 30]
    #[arg(long, value_name = "N", value_parser = count)]
    epochs: Option<NonZeroUsize>,
    /// The number of rows in a training step [default: 32]
    #[arg(long, value_name = "N", value_parser = count)]
    batch_size: Option<NonZeroUsize>,
    /// The step size of AdamW at the start; it falls linearly to 0 [default: 0.003]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<LearningRate>,
    /// The share of the rows to train on; the others are for validation [default: 0.25]
    #[arg(long, value_name = "SHARE")]
    train_fraction: Option<TrainFraction>,
    /// Determines the split, the initial weights, the order of the batches and the masks [default: 42]
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    seed: Option<u64>,
    /// A TOML file with any of these options
    #[arg(long, value_name = "FILE.toml")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// The folder for the results [default: a new one in runs/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite the run in the folder for the results, if there is one
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    force: Option<bool>,
    /// Show no progress
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    quiet: Option<bool>,
}

/// Everything that determines what a run computes; `config.toml` in its results.
#[derive(Clone, Serialize)]
pub struct Settings {
    /// `digits`, or the path of a CSV file.
    pub data: PathBuf,
    /// The target column of a CSV file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub dropout: Probability,
    pub hidden: Vec<NonZeroUsize>,
    pub epochs: NonZeroUsize,
    pub batch_size: NonZeroUsize,
    pub learning_rate: LearningRate,
    pub train_fraction: TrainFraction,
    pub seed: u64,
}

/// Where results and progress go, and nothing that they depend on.
pub struct Output {
    /// `None`: a new folder, named after the settings.
    pub out: Option<PathBuf>,
    pub force: bool,
    pub quiet: bool,
}

impl TrainArgs {
    /// These options, over those of the file they name, over the defaults.
    pub fn resolve(&self) -> Result<(Settings, Output)> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => Self::default(),
        };
        macro_rules! given {
            ($option:ident) => {
                self.$option.clone().or(file.$option)
            };
        }
        let of = |n| NonZeroUsize::new(n).expect("defaults are positive");
        let settings = Settings {
            data: given!(data).unwrap_or_else(|| PathBuf::from("digits")),
            target: given!(target),
            dropout: given!(dropout).map_or_else(|| Probability::new(0.5), Ok)?,
            hidden: given!(hidden).unwrap_or_else(|| vec![of(512), of(512)]),
            epochs: given!(epochs).unwrap_or(of(30)),
            batch_size: given!(batch_size).unwrap_or(of(32)),
            learning_rate: given!(learning_rate).unwrap_or(LearningRate(3e-3)),
            train_fraction: given!(train_fraction).unwrap_or(TrainFraction(0.25)),
            seed: given!(seed).unwrap_or(42),
        };
        let output = Output {
            out: given!(out),
            force: given!(force).unwrap_or_default(),
            quiet: given!(quiet).unwrap_or_default(),
        };
        Ok((settings, output))
    }
}

/// The options in the TOML file at `path`. Errors name the file, the key and what was expected, in one line.
fn read(path: &Path) -> Result<TrainArgs> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let document = toml::Deserializer::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        anyhow!("{shown}, line {line}: {}", error.message().replace('\n', ", "))
    })?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().to_string();
        let message = error.inner().message().replace('\n', ", ");
        if message.starts_with("unknown field") {
            anyhow!("{shown}: {}", message.replace("unknown field", "unknown key"))
        } else {
            anyhow!("{shown}: key `{key}`: {message}")
        }
    })
}

impl Settings {
    /// As a TOML file that `--config` reads.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the settings as TOML")
    }
}

fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("expected a whole number of at least 1, but got {text}"))
}

/// A number without a sign of so many bits.
pub fn whole<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().and_then(|number: u64| T::try_from(number).ok());
    let bits = 8 * size_of::<T>();
    number.ok_or_else(|| format!("expected a whole number from 0 to 2^{bits} - 1, but got {text}"))
}

pub fn probability(text: &str) -> Result<Probability, String> {
    let number: f64 = text.parse().map_err(|_| format!("expected a number between 0 and 1, but got {text}"))?;
    Probability::new(number).map_err(|error| error.to_string())
}

/// A number with a condition, checked wherever it is read from.
macro_rules! checked_number {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Deserialize, Serialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = String;

            fn try_from(number: f64) -> Result<Self, String> {
                let holds: fn(f64) -> bool = $holds;
                if holds(number) { Ok(Self(number)) } else { Err(format!("expected {}, but got {number}", $expected)) }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let number: f64 = text.parse().map_err(|_| format!("expected {}, but got {text}", $expected))?;
                Self::try_from(number)
            }
        }

        impl From<$name> for f64 {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

checked_number!(
    /// The optimiser's step size at the start.
    LearningRate,
    "a positive number",
    |rate| rate > 0.0 && rate.is_finite()
);
checked_number!(
    /// The share of the rows that is trained on.
    TrainFraction,
    "a number above 0 and below 1",
    |share| share > 0.0 && share < 1.0
);
