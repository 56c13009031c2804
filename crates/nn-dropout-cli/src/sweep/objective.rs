//! What the trials of a sweep train and measure, loaded once for all.

use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use nn_dropout_experiments::metric::Metrics;
use nn_dropout_experiments::mlp::trainer::MlpTrainer;
use nn_dropout_experiments::settings::file::to_toml;
use nn_dropout_experiments::settings::{DIGITS, Settings};
use nn_dropout_experiments::sweep::{GRID, Sampler, Trial};
use nn_dropout_experiments::table::Table;
use nn_dropout_experiments::trainer::Trainer;
use nn_dropout_models::GptConfig;

use super::storage::{BegunWith, Experiment};
use crate::gpt::source::{self, Source};
use crate::gpt::trainer::GptTrainer;
use crate::io::input::Input;

/// The settings that all trials share, and the data.
pub struct Objective {
    pub settings: Settings,
    pub data: Data,
}

pub enum Data {
    Table(Table),
    Text(Source, GptConfig),
}

impl Objective {
    pub fn load(settings: Settings) -> Result<Self> {
        let data = match &settings {
            Settings::Mlp(settings) => Data::Table(Table::load(settings)?),
            Settings::Gpt(settings) => {
                ensure!(
                    settings.batches.is_none(),
                    "--batches have no validation part, which a sweep needs: name a text with --data"
                );
                let (source, config) = source::load(settings, |_| Ok(()))?;
                Data::Text(source, config)
            }
        };
        Ok(Self { settings, data })
    }

    /// Starts a trial or resumes it. The metrics measured so far come with it.
    pub fn start(
        &self,
        trial: &Trial,
        checkpoint: Option<Vec<u8>>,
        bar: ProgressBar,
    ) -> Result<(Box<dyn Trainer + '_>, Vec<Metrics>)> {
        match (&self.data, trial.settings(&self.settings)) {
            (Data::Table(table), Settings::Mlp(settings)) => {
                Ok((Box::new(MlpTrainer::new(settings, table, bar)?), Vec::new()))
            }
            (Data::Text(source, config), Settings::Gpt(settings)) => {
                let mut trainer = GptTrainer::new(settings, source, config, bar)?;
                if let Some(checkpoint) = checkpoint {
                    trainer = trainer.resume(checkpoint)?;
                }
                let history = trainer.history();
                Ok((Box::new(trainer), history))
            }
            _ => unreachable!("the data are those of the settings"),
        }
    }

    /// The number of measurements of a training.
    pub fn measurements(&self) -> usize {
        match &self.settings {
            Settings::Mlp(settings) => settings.measurements(),
            Settings::Gpt(settings) => 1 + settings.max_iters.get().div_ceil(settings.eval_interval.get()),
        }
    }

    /// Everything that the results of all trials depend on; for a search also what its choice of trials depends on. `options` are those
    /// of `sweep`.
    pub fn experiment(&self, sampler: &Sampler, blocks: usize, options: String) -> Result<Experiment> {
        let inputs = match (&self.settings, &self.data) {
            (Settings::Mlp(settings), Data::Table(table)) => {
                table.blake3.clone().map(|hash| Input::new("table", &settings.data, hash)).into_iter().collect()
            }
            (_, Data::Text(source, _)) => source.inputs.clone(),
            _ => Vec::new(),
        };
        let config = self.settings.to_toml()?;
        let mut table: toml::Table = toml::from_str(&config)?;
        // What is tried, and where.
        for key in ["seed", "fold"] {
            table.remove(key);
        }
        match table.get_mut("dropout") {
            Some(toml::Value::Table(layer)) => layer.remove(self.settings.dropout().kind().amount()),
            _ => table.remove("dropout"),
        };
        for key in ["data", "init"] {
            // The contents of a file matter, not where it is.
            if let Some(path) = table.get_mut(key).filter(|path| path.as_str() != Some(DIGITS)) {
                *path = "a file".into();
            }
        }
        let mut add = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
        if let Settings::Mlp(settings) = &self.settings {
            add("metric", toml::Value::try_from(settings.metric())?);
        }
        match sampler {
            Sampler::Grid(candidates) => {
                add("search", GRID.into());
                let mut layers: Vec<toml::Value> = Vec::new();
                for candidate in candidates {
                    let layer = toml::Value::try_from(candidate.dropout.clone().with_amount(0.0)?)?;
                    if !layers.contains(&layer) {
                        layers.push(layer);
                    }
                }
                if layers.len() > 1 {
                    add("dropout", layers.into());
                }
                if candidates.iter().any(|candidate| candidate.input_dropout.is_some()) {
                    add("input_dropout", "searched".into());
                }
            }
            Sampler::Search { strategy, space, .. } => {
                add("search", strategy.name().into());
                add("seed", self.settings.seed().cast_signed().into());
                add("seeds", blocks.to_string().into());
                add("rates", space.rates.to_string().into());
                if let Some(rates) = &space.input_rates {
                    add("input_dropout", rates.to_string().into());
                }
                if let (Some(range), Settings::Mlp(settings)) = (&space.hidden, &self.settings) {
                    add("hidden", format!("{} layers of {range}", settings.hidden.len()).into());
                }
                if let Some(range) = &space.learning_rate {
                    add("learning_rate", range.to_string().into());
                }
            }
        }
        Ok(Experiment {
            settings: to_toml(&table)?,
            inputs,
            begun_with: BegunWith { config, options, trials: sampler.trials(blocks) },
        })
    }
}
