//! A trial: one training of a sweep, and its result.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;

use nn_dropout::{Config, Kind};
use serde::{Deserialize, Serialize};

use crate::metric::Metrics;
use crate::settings::numbers::LearningRate;
use crate::settings::{GptSettings, MlpSettings};

/// What a sweep compares.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Candidate {
    pub dropout: Config,
    /// The size of every hidden layer, if that is searched too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hidden: Option<NonZeroUsize>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning_rate: Option<LearningRate>,
}

impl Candidate {
    /// A layer alone.
    pub fn layer(dropout: Config) -> Self {
        Self { dropout, hidden: None, learning_rate: None }
    }
}

/// One training.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Trial {
    #[serde(flatten)]
    pub candidate: Candidate,
    pub seed: u64,
}

impl Trial {
    /// What distinguishes it from other trials, as JSON.
    pub fn key(&self) -> String {
        serde_json::to_string(self).expect("numbers can be written as JSON")
    }

    /// The settings of this trial, from those that all trials share.
    pub fn mlp_settings(&self, shared: &MlpSettings) -> MlpSettings {
        let Self { candidate, seed } = self;
        let mut settings = MlpSettings { dropout: candidate.dropout.clone(), seed: *seed, ..shared.clone() };
        settings.learning_rate = candidate.learning_rate.unwrap_or(settings.learning_rate);
        if let Some(size) = candidate.hidden {
            settings.hidden.fill(size);
        }
        settings
    }

    /// The same for a GPT.
    pub fn gpt_settings(&self, shared: &GptSettings) -> GptSettings {
        let Self { candidate, seed } = self;
        let learning_rate = candidate.learning_rate.unwrap_or(shared.learning_rate);
        GptSettings { dropout: candidate.dropout.clone(), seed: *seed, learning_rate, ..shared.clone() }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropout.kind() != Kind::Dropout {
            write!(f, "{} ", self.dropout.kind().name())?;
        }
        write!(f, "{} = {}", self.dropout.kind().amount(), self.dropout.amount())?;
        if let Some(size) = self.hidden {
            write!(f, ", hidden size {size}")?;
        }
        if let Some(rate) = self.learning_rate {
            write!(f, ", learning rate {rate}")?;
        }
        Ok(())
    }
}

/// How a trial ended.
#[derive(Clone, Copy, PartialEq)]
pub enum State {
    Complete,
    /// Early, because it was hopeless.
    Stopped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Stopped => "stopped",
        }
    }
}

/// A trial that has ended.
#[derive(Clone)]
pub struct TrialResult {
    pub trial: Trial,
    pub state: State,
    pub seconds: f64,
    pub history: Vec<Metrics>,
}

impl TrialResult {
    /// The metrics at the end.
    pub fn last(&self) -> &Metrics {
        self.history.last().expect("a trial that has ended has been measured")
    }
}

/// The results of all trials that have ended, by the trial's key.
#[derive(Default)]
pub struct Results(pub HashMap<String, TrialResult>);

impl Results {
    pub fn get(&self, trial: &Trial) -> Option<&TrialResult> {
        self.0.get(&trial.key())
    }
}
