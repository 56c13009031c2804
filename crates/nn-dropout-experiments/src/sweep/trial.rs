//! A trial: one training of a sweep, and its result.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;

use nn_dropout::{Config, Kind};
use serde::{Deserialize, Serialize};

use crate::metric::Metrics;
use crate::settings::numbers::LearningRate;
use crate::settings::{GptSettings, MlpSettings, Settings};
use crate::trainer::Validated;

/// What a sweep compares.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Candidate {
    pub dropout: Config,
    /// Dropout of the features, if its rate is searched apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input_dropout: Option<Config>,
    /// The size of every hidden layer, if that is searched too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hidden: Option<NonZeroUsize>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning_rate: Option<LearningRate>,
}

impl Candidate {
    /// A layer alone.
    pub fn layer(dropout: Config) -> Self {
        Self { dropout, input_dropout: None, hidden: None, learning_rate: None }
    }

    /// The layer without its amount of noise: its kind, and its options if it has some.
    pub fn layer_name(&self) -> String {
        let mut layer = toml::Value::try_from(&self.dropout).unwrap_or(toml::Value::Boolean(true));
        let kind = self.dropout.kind();
        if let Some(options) = layer.as_table_mut() {
            options.remove("kind");
            options.remove(kind.amount());
        }
        let options = layer.as_table().filter(|options| !options.is_empty());
        kind.name() + &options.map_or_else(String::new, |options| format!(" {}", toml::Value::Table(options.clone())))
    }

    /// Whether nothing is dropped.
    pub fn is_without_dropout(&self) -> bool {
        self.dropout.amount() == 0.0 && self.input_dropout.as_ref().is_none_or(|input| input.amount() == 0.0)
    }

    /// The same without dropout.
    #[must_use]
    pub fn without_dropout(&self) -> Self {
        let without = |config: &Config| config.clone().with_amount(0.0).unwrap_or_else(|_| config.clone());
        Self {
            dropout: without(&self.dropout),
            input_dropout: self.input_dropout.as_ref().map(without),
            ..self.clone()
        }
    }
}

/// What a trial of each candidate has in common: the seed, with its split, initial weights and order of the rows; and the fold.
pub type Block = (u64, Option<NonZeroUsize>);

/// One training.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Trial {
    #[serde(flatten)]
    pub candidate: Candidate,
    pub seed: u64,
    /// The fold for validation, if there are folds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fold: Option<NonZeroUsize>,
}

impl Trial {
    pub fn new(candidate: Candidate, (seed, fold): Block) -> Self {
        Self { candidate, seed, fold }
    }

    pub fn block(&self) -> Block {
        (self.seed, self.fold)
    }

    /// What distinguishes it from other trials, as JSON.
    pub fn key(&self) -> String {
        serde_json::to_string(self).expect("numbers can be written as JSON")
    }

    /// The settings of this trial, from those that all trials share.
    pub fn settings(&self, shared: &Settings) -> Settings {
        match shared {
            Settings::Mlp(shared) => Settings::Mlp(self.mlp_settings(shared)),
            Settings::Gpt(shared) => Settings::Gpt(self.gpt_settings(shared)),
        }
    }

    fn mlp_settings(&self, shared: &MlpSettings) -> MlpSettings {
        let Self { candidate, seed, fold } = self;
        let mut settings =
            MlpSettings { dropout: candidate.dropout.clone(), seed: *seed, fold: *fold, ..shared.clone() };
        settings.input_dropout = candidate.input_dropout.clone().or(settings.input_dropout);
        settings.learning_rate = candidate.learning_rate.unwrap_or(settings.learning_rate);
        if let Some(size) = candidate.hidden {
            settings.hidden.fill(size);
        }
        settings
    }

    fn gpt_settings(&self, shared: &GptSettings) -> GptSettings {
        let Self { candidate, seed, .. } = self;
        let learning_rate = candidate.learning_rate.unwrap_or(shared.learning_rate);
        GptSettings { dropout: candidate.dropout.clone(), seed: *seed, learning_rate, ..shared.clone() }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, seed {}", self.candidate, self.seed)?;
        self.fold.iter().try_for_each(|fold| write!(f, ", fold {fold}"))
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropout.kind() != Kind::Dropout {
            write!(f, "{} ", self.dropout.kind().name())?;
        }
        write!(f, "{} = {}", self.dropout.kind().amount(), self.dropout.amount())?;
        let scheduled = toml::Value::try_from(&self.dropout).ok();
        if let Some(schedule) = scheduled.as_ref().and_then(|layer| layer.get("schedule")) {
            write!(f, " with schedule {schedule}")?;
        }
        if let Some(input) = &self.input_dropout {
            write!(f, ", inputs {}", input.amount())?;
        }
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
    /// The scores of the validation part at the end.
    pub validated: Validated,
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
