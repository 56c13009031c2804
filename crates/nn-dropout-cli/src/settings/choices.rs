//! Choices that a user makes by name.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;

#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    #[default]
    Mlp,
    Gpt,
}

/// The kind of a table's target.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    #[default]
    Classification,
    Regression,
}

impl Task {
    pub fn metric(self) -> Metric {
        match self {
            Self::Classification => Metric::Accuracy,
            Self::Regression => Metric::R2,
        }
    }
}

/// The masks that a GPT is trained with.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TrainRng {
    #[default]
    Philox,
    Torch,
}
