//! The settings of a run: options of the command line, over those of a TOML file, over defaults.

mod choices;
mod csv;
pub mod file;
mod gpt;
pub mod layer;
mod mistakes;
mod mlp;
pub mod numbers;
mod options;
mod value;

pub use choices::{DeviceName, Task, TrainRng};
pub use csv::{CsvOptions, Decimal, Encoding, Separator};
pub use gpt::GptSettings;
pub use mlp::{DIGITS, MlpSettings};
pub use options::{GPT, NO_KEYS, Options};

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nn_dropout::{Config, Kind};

use crate::io::files::free_folder;
use crate::io::source::STDIN;
use crate::metric::Metric;
use choices::Model;

/// Everything that determines what a run computes: its `config.toml`.
#[derive(Clone)]
pub enum Settings {
    Mlp(MlpSettings),
    Gpt(GptSettings),
}

impl Settings {
    /// The settings of a run.
    pub fn read(config: &Path) -> Result<Self> {
        Self::of(file::read(config)?)
    }

    pub fn dropout(&self) -> &Config {
        match self {
            Self::Mlp(settings) => &settings.dropout,
            Self::Gpt(settings) => &settings.dropout,
        }
    }

    pub fn seed(&self) -> u64 {
        match self {
            Self::Mlp(settings) => settings.seed,
            Self::Gpt(settings) => settings.seed,
        }
    }

    /// The number of folds, if the rows are split into folds.
    pub fn folds(&self) -> Option<NonZeroUsize> {
        match self {
            Self::Mlp(settings) => settings.folds,
            Self::Gpt(_) => None,
        }
    }

    /// The file of the data, or `digits`.
    pub fn data(&self) -> &Path {
        match self {
            Self::Mlp(settings) => &settings.data,
            Self::Gpt(settings) => settings.data.as_deref().unwrap_or(Path::new("text")),
        }
    }

    /// The metric that says how good a model is.
    pub fn metric(&self) -> Metric {
        match self {
            Self::Mlp(settings) => settings.metric(),
            Self::Gpt(_) => Metric::CrossEntropy,
        }
    }

    /// The unit in which a training is measured.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "epoch",
            Self::Gpt(_) => "step",
        }
    }

    /// The number of units in a training.
    pub fn length(&self) -> usize {
        match self {
            Self::Mlp(settings) => settings.epochs.get(),
            Self::Gpt(settings) => settings.max_iters.get(),
        }
    }

    /// As TOML.
    pub fn to_toml(&self) -> Result<String> {
        match self {
            Self::Mlp(settings) => file::to_toml(settings),
            Self::Gpt(settings) => file::to_toml(settings),
        }
    }

    pub fn of(options: Options) -> Result<Self> {
        let model = options.model.unwrap_or_default();
        options.check(model)?;
        Ok(match model {
            Model::Mlp => {
                let mut settings = MlpSettings::of(options);
                settings.check()?;
                settings.complete();
                Self::Mlp(settings)
            }
            Model::Gpt => Self::Gpt(GptSettings::of(options)),
        })
    }
}

/// Where results and progress go. No result depends on it.
pub struct Output {
    /// `None`: a new folder, named after the settings.
    pub out: Option<PathBuf>,
    pub force: bool,
    pub quiet: bool,
}

impl Output {
    pub fn of(options: &Options) -> Self {
        Self {
            out: options.out.clone(),
            force: options.force.unwrap_or_default(),
            quiet: options.quiet.unwrap_or_default(),
        }
    }

    /// The folder for a run with these settings.
    pub fn folder(&self, data: &Path, dropout: &Config, seed: u64) -> PathBuf {
        let (kind, amount) = (dropout.kind(), dropout.amount());
        let layer = if kind == Kind::Dropout { String::new() } else { kind.name() + "-" };
        let name = || format!("{}-{layer}{}{amount:?}-seed{}", stem(data), kind.amount(), seed.cast_signed());
        self.out.clone().unwrap_or_else(|| free_folder(&name(), |path| !path.exists()))
    }
}

/// The name of the data, for a folder of results.
pub fn stem(data: &Path) -> Cow<'_, str> {
    if data == Path::new(STDIN) { "stdin".into() } else { data.file_stem().unwrap_or_default().to_string_lossy() }
}
