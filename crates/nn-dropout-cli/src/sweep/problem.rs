//! What the trials of a sweep train, loaded once for all.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use maud::Markup;

use super::plan::{Search, Trial};
use crate::files::read;
use crate::gpt::{GptConfig, GptTraining, Source};
use crate::mlp::{MlpTraining, Table};
use crate::settings::{DIGITS, GptSettings, MlpSettings, Settings, to_toml};
use crate::training::{Metric, Metrics, Training};
use crate::{gpt, mlp};

/// The settings of all trials, but for what a trial says itself, and the data.
pub enum Problem {
    Mlp(MlpSettings, Table),
    Gpt(GptSettings, Source, GptConfig),
}

impl Problem {
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
                let (source, config) = gpt::load(&settings)?;
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

    /// What a training counts.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Mlp(..) => "epoch",
            Self::Gpt(..) => "step",
        }
    }

    /// How many of them it takes.
    pub fn length(&self) -> usize {
        match self {
            Self::Mlp(settings, _) => settings.epochs.get(),
            Self::Gpt(settings, ..) => settings.max_iters.get(),
        }
    }

    /// What is learned from.
    pub fn data(&self) -> &Path {
        match self {
            Self::Mlp(settings, _) => &settings.data,
            Self::Gpt(settings, ..) => settings.data.as_deref().unwrap_or(Path::new("text")),
        }
    }

    pub fn first_seed(&self) -> u64 {
        match self {
            Self::Mlp(settings, _) => settings.seed,
            Self::Gpt(settings, ..) => settings.seed,
        }
    }

    /// Begins a trial, or goes on with it; with what has been measured so far.
    pub fn start(
        &self,
        trial: &Trial,
        checkpoint: Option<Vec<u8>>,
        bar: ProgressBar,
    ) -> Result<(Box<dyn Training + '_>, Vec<Metrics>)> {
        match (self, self.settings(trial)?) {
            (Self::Mlp(_, table), Settings::Mlp(settings)) => {
                Ok((Box::new(MlpTraining::new(settings, table, bar)?), Vec::new()))
            }
            (Self::Gpt(_, source, config), Settings::Gpt(settings)) => {
                let mut training = GptTraining::new(settings, source, config, bar)?;
                if let Some(checkpoint) = checkpoint {
                    training = training.resume(checkpoint)?;
                }
                let history = training.history();
                Ok((Box::new(training), history))
            }
            _ => unreachable!("a trial has the model of its problem"),
        }
    }

    /// The settings with which `train` does what a trial does.
    pub fn settings(&self, trial: &Trial) -> Result<Settings> {
        let Trial { candidate, seed } = trial.clone();
        match self {
            Self::Mlp(settings, _) => {
                let mut settings = MlpSettings { dropout: candidate.dropout, seed, ..settings.clone() };
                settings.learning_rate = candidate.learning_rate.unwrap_or(settings.learning_rate);
                if let Some(size) = candidate.hidden {
                    settings.hidden.fill(size);
                }
                Ok(Settings::Mlp(settings))
            }
            Self::Gpt(settings, ..) => {
                if candidate.hidden.is_some() {
                    bail!("a GPT has no hidden layers to look for the size of");
                }
                let learning_rate = candidate.learning_rate.unwrap_or(settings.learning_rate);
                Ok(Settings::Gpt(GptSettings { dropout: candidate.dropout, seed, learning_rate, ..settings.clone() }))
            }
        }
    }

    /// A perceptron's run with these settings in a folder, and what is to be said of its uncertainty; `None` if there is none yet.
    pub fn keep(&self, settings: &MlpSettings, folder: &Path, quiet: bool) -> Result<Option<Markup>> {
        match self {
            Self::Mlp(_, table) => mlp::keep(settings, table, folder, quiet),
            Self::Gpt(..) => Ok(None),
        }
    }

    /// Everything that the numbers of all trials depend on, and for a search that on which its trials do; as TOML.
    pub fn experiment(&self, search: &Search, seeds: usize) -> Result<String> {
        let (settings, data, init) = match self {
            Self::Mlp(settings, _) => (to_toml(settings)?, Some(&settings.data), None),
            Self::Gpt(settings, ..) => (to_toml(settings)?, settings.data.as_ref(), settings.init.as_ref()),
        };
        let mut table: toml::Table = toml::from_str(&settings)?;
        for key in ["dropout", "seed"] {
            table.remove(key);
        }
        for (key, path) in [("data", data), ("init", init)] {
            let Some(path) = path.filter(|path| *path != Path::new(DIGITS)) else { continue };
            // Wherever the file is: its contents matter.
            let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            table.insert(key.to_owned(), name.into());
            table.insert(format!("{key}_blake3"), blake3::hash(&read(path)?).to_hex().to_string().into());
        }
        match search {
            Search::Grid(_) => {
                table.insert("search".to_owned(), "grid".into());
            }
            Search::Tpe(space, _) => {
                table.insert("search".to_owned(), "tpe".into());
                table.insert("seed".to_owned(), self.first_seed().to_string().into());
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
        to_toml(&table)
    }
}
