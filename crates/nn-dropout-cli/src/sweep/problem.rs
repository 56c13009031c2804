//! What the trials of a sweep train, loaded once for all.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use maud::{Markup, html};

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
        match self {
            Self::Mlp(settings, table) => {
                Ok((Box::new(MlpTraining::new(of_mlp(settings, trial), table, bar)?), Vec::new()))
            }
            Self::Gpt(settings, source, config) => {
                let mut training = GptTraining::new(of_gpt(settings, trial), source, config, bar)?;
                if let Some(checkpoint) = checkpoint {
                    training = training.resume(checkpoint)?;
                }
                let history = training.history();
                Ok((Box::new(training), history))
            }
        }
    }

    /// The settings with which `train` does what a trial does, as TOML.
    pub fn config(&self, trial: &Trial) -> Result<String> {
        match self {
            Self::Mlp(settings, _) => to_toml(&of_mlp(settings, trial)),
            Self::Gpt(settings, ..) => to_toml(&of_gpt(settings, trial)),
        }
    }

    /// A perceptron's run of a trial in a folder, and what is to be said of its uncertainty; `None` if the program is to stop before it
    /// is there. A GPT takes too long to be trained once more.
    pub fn keep(&self, trial: &Trial, folder: &Path, quiet: bool) -> Result<Option<Markup>> {
        match self {
            Self::Mlp(settings, table) => mlp::keep(&of_mlp(settings, trial), table, folder, quiet),
            Self::Gpt(..) => Ok(Some(html! {})),
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

fn of_mlp(settings: &MlpSettings, Trial { candidate, seed }: &Trial) -> MlpSettings {
    let mut settings = MlpSettings { dropout: candidate.dropout, seed: *seed, ..settings.clone() };
    settings.learning_rate = candidate.learning_rate.unwrap_or(settings.learning_rate);
    if let Some(size) = candidate.hidden {
        settings.hidden.fill(size);
    }
    settings
}

fn of_gpt(settings: &GptSettings, Trial { candidate, seed }: &Trial) -> GptSettings {
    let learning_rate = candidate.learning_rate.unwrap_or(settings.learning_rate);
    GptSettings { dropout: candidate.dropout, seed: *seed, learning_rate, ..settings.clone() }
}
