//! What the trials of a sweep train and measure, loaded once for all.

use std::path::Path;

use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use nn_dropout::Config;
use nn_dropout_models::GptConfig;

use super::sampler::Sampler;
use super::storage::Experiment;
use super::trial::Trial;
use crate::gpt::source::{self, Source};
use crate::gpt::trainer::GptTrainer;
use crate::io::input::Input;
use crate::metric::{Metric, Metrics};
use crate::mlp::trainer::MlpTrainer;
use crate::settings::file::to_toml;
use crate::settings::{DIGITS, GptSettings, MlpSettings, Settings};
use crate::table::Table;
use crate::trainer::Trainer;

/// The data, and the settings that all trials share.
pub enum Objective {
    Mlp(MlpSettings, Table),
    Gpt(GptSettings, Source, GptConfig),
}

impl Objective {
    pub fn load(settings: Settings) -> Result<Self> {
        match settings {
            Settings::Mlp(settings) => {
                let table = Table::load(&settings)?;
                Ok(Self::Mlp(settings, table))
            }
            Settings::Gpt(settings) => {
                ensure!(
                    settings.batches.is_none(),
                    "--batches have no validation part, which a sweep needs: name a text with --data"
                );
                let (source, config) = source::load(&settings, |_| Ok(()))?;
                Ok(Self::Gpt(settings, source, config))
            }
        }
    }

    pub fn metric(&self) -> Metric {
        match self {
            Self::Mlp(settings, _) => settings.task.metric(),
            Self::Gpt(..) => Metric::CrossEntropy,
        }
    }

    /// The unit in which a training is measured.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Mlp(..) => "epoch",
            Self::Gpt(..) => "step",
        }
    }

    /// The number of units in a training.
    pub fn length(&self) -> usize {
        match self {
            Self::Mlp(settings, _) => settings.epochs.get(),
            Self::Gpt(settings, ..) => settings.max_iters.get(),
        }
    }

    /// The file of the data, or `digits`.
    pub fn data(&self) -> &Path {
        match self {
            Self::Mlp(settings, _) => &settings.data,
            Self::Gpt(settings, ..) => settings.data.as_deref().unwrap_or(Path::new("text")),
        }
    }

    /// The layer, with any amount of noise.
    pub fn dropout(&self) -> &Config {
        match self {
            Self::Mlp(settings, _) => &settings.dropout,
            Self::Gpt(settings, ..) => &settings.dropout,
        }
    }

    pub fn first_seed(&self) -> u64 {
        match self {
            Self::Mlp(settings, _) => settings.seed,
            Self::Gpt(settings, ..) => settings.seed,
        }
    }

    /// Starts a trial or resumes it. The metrics measured so far come with it.
    pub fn start(
        &self,
        trial: &Trial,
        checkpoint: Option<Vec<u8>>,
        bar: ProgressBar,
    ) -> Result<(Box<dyn Trainer + '_>, Vec<Metrics>)> {
        match self {
            Self::Mlp(settings, table) => {
                Ok((Box::new(MlpTrainer::new(trial.mlp_settings(settings), table, bar)?), Vec::new()))
            }
            Self::Gpt(settings, source, config) => {
                let mut trainer = GptTrainer::new(trial.gpt_settings(settings), source, config, bar)?;
                if let Some(checkpoint) = checkpoint {
                    trainer = trainer.resume(checkpoint)?;
                }
                let history = trainer.history();
                Ok((Box::new(trainer), history))
            }
        }
    }

    /// The settings with which `train` does the same as a trial, as TOML.
    pub fn config(&self, trial: &Trial) -> Result<String> {
        match self {
            Self::Mlp(settings, _) => to_toml(&trial.mlp_settings(settings)),
            Self::Gpt(settings, ..) => to_toml(&trial.gpt_settings(settings)),
        }
    }

    /// Everything that the results of all trials depend on; for a search also what its choice of trials depends on.
    pub fn experiment(&self, sampler: &Sampler, seeds: usize) -> Result<Experiment> {
        let (settings, inputs) = match self {
            Self::Mlp(settings, table) => {
                let input = table.blake3.clone().map(|hash| Input::new("table", &settings.data, hash));
                (to_toml(settings)?, input.into_iter().collect())
            }
            Self::Gpt(settings, source, _) => (to_toml(settings)?, source.inputs.clone()),
        };
        let mut table: toml::Table = toml::from_str(&settings)?;
        table.remove("seed");
        // The amount of noise is what is tried.
        match table.get_mut("dropout") {
            Some(toml::Value::Table(layer)) => layer.remove(self.dropout().kind().amount()),
            _ => table.remove("dropout"),
        };
        for key in ["data", "init"] {
            // The contents of a file matter, not where it is.
            if let Some(path) = table.get_mut(key).filter(|path| path.as_str() != Some(DIGITS)) {
                *path = "a file".into();
            }
        }
        match sampler {
            Sampler::Grid(_) => {
                table.insert("search".to_owned(), "grid".into());
            }
            Sampler::Tpe(space, _) => {
                table.insert("search".to_owned(), "tpe".into());
                table.insert("seed".to_owned(), self.first_seed().cast_signed().into());
                table.insert("seeds".to_owned(), seeds.to_string().into());
                table.insert("rates".to_owned(), space.rates.to_string().into());
                if let (Some(range), Self::Mlp(settings, _)) = (&space.hidden, self) {
                    table.insert("hidden".to_owned(), format!("{} layers of {range}", settings.hidden.len()).into());
                }
                if let Some(range) = &space.learning_rate {
                    table.insert("learning_rate".to_owned(), range.to_string().into());
                }
            }
        }
        Ok(Experiment { settings: to_toml(&table)?, inputs })
    }
}
