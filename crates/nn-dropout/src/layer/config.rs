//! What a layer is made from, with checked values: a kind, how much noise, and what only some kinds take.

use std::error::Error;
use std::fmt;

use super::kind::Kind;
use crate::draw::Effect;
use crate::generator::Schedule;
use crate::spec::magnitude::{Magnitude, MagnitudeError};
use crate::spec::probability::{Probability, ProbabilityError};

/// The configuration of a layer of any [`Kind`]. It is made into a layer by [`Layer::from_config`](crate::Layer::from_config).
///
/// With the feature `serde` it can be a table in a file, or simply a number for [`Dropout`](crate::Dropout):
///
/// ```
/// use nn_dropout::{Config, Kind};
///
/// let config: Config = serde_json::from_str(r#"{"kind": "drop-block2d", "p": 0.1, "block_size": 5}"#)?;
/// assert_eq!(config, Config::new(Kind::DropBlock2d, 0.1)?.with_block_size(5)?);
/// let config: Config = serde_json::from_str("0.1")?;
/// assert_eq!(config, Config::new(Kind::Dropout, 0.1)?);
///
/// let error = serde_json::from_str::<Config>(r#"{"kind": "gaussian-noise", "p": 0.1}"#).unwrap_err();
/// assert!(error.to_string().starts_with("gaussian-noise needs `stddev`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// | key | kinds | values |
/// |---|---|---|
/// | `kind` | | the [name](Kind::name) of the kind |
/// | `p` | all but the next two | from 0 to 1; below 1 for `gaussian-dropout` |
/// | `stddev` | `gaussian-noise` | at least 0 |
/// | `alpha` | `neftune-noise` | at least 0 |
/// | `shared_axes` | `dropout`, `alpha-dropout`, `gaussian-dropout`, `gaussian-noise` | the axes on which the mask has size 1 |
/// | `channels_last` | `dropout1d`, `dropout2d`, `dropout3d`, `feature-alpha-dropout`, `drop-block2d`, `drop-block3d` | whether the last axis is the channels |
/// | `mode` | `drop-path` | `row` or `batch` |
/// | `scale_by_keep` | `drop-path` | whether kept paths are multiplied by `1 / (1 - p)` |
/// | `block_size` | `drop-block2d`, `drop-block3d` | at least 1; 7 if not given |
/// | `clipping` | `drop-block2d`, `drop-block3d` | whether blocks may lie anywhere, and are cut at the border, as in timm |
/// | `coupled_channels` | `drop-block2d`, `drop-block3d` | whether all channels lose the same blocks, as in timm |
/// | `schedule` | all | a [`Schedule`] |
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(into = "Written"))]
pub struct Config {
    pub(super) kind: Kind,
    /// 0 for kinds that take another number.
    pub(super) p: Probability,
    /// The standard deviation or alpha. 0 for kinds that take p.
    pub(super) magnitude: Magnitude,
    pub(super) shared_axes: Vec<usize>,
    pub(super) channels_last: bool,
    pub(super) mode: PathMode,
    pub(super) scale_by_keep: bool,
    pub(super) block_size: usize,
    pub(super) clipping: bool,
    pub(super) coupled_channels: bool,
    pub(super) schedule: Option<Schedule>,
}

/// Which samples [`DropPath`](crate::DropPath) drops together. The names are torchvision's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum PathMode {
    /// Each sample alone.
    #[default]
    Row,
    /// All of a batch.
    Batch,
}

/// The block size that the paper recommends.
const BLOCK_SIZE: usize = 7;

impl Config {
    /// A configuration with this much noise: p, or the standard deviation for [`GaussianNoise`](crate::GaussianNoise), or alpha
    /// for [`NeftuneNoise`](crate::NeftuneNoise).
    ///
    /// # Errors
    ///
    /// If `amount` is no such number.
    pub fn new(kind: Kind, amount: f64) -> Result<Self, ConfigError> {
        let none = Self {
            kind,
            p: Probability::ZERO,
            magnitude: Magnitude::ZERO,
            shared_axes: Vec::new(),
            channels_last: false,
            mode: PathMode::Row,
            scale_by_keep: true,
            block_size: BLOCK_SIZE,
            clipping: false,
            coupled_channels: false,
            schedule: None,
        };
        none.with_amount(amount)
    }

    /// The same with another amount of noise.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_amount(self, amount: f64) -> Result<Self, ConfigError> {
        match self.kind.amount() {
            "p" => {
                let p = Probability::new(amount)?;
                if self.kind == Kind::GaussianDropout && p.get() == 1.0 {
                    return Err(ConfigError::NoVariance);
                }
                Ok(Self { p, ..self })
            }
            name => {
                let magnitude = Magnitude::new(amount).map_err(|error| ConfigError::Magnitude(name, error))?;
                Ok(Self { magnitude, ..self })
            }
        }
    }

    /// Elements that differ in their coordinates on these axes alone share a bit, or a number: locked (variational) dropout,
    /// Keras' `noise_shape`, Flax's `broadcast_dims`. The axes are numbered from 0.
    ///
    /// # Errors
    ///
    /// If the kind does not take it, here and below.
    pub fn with_shared_axes(self, axes: impl Into<Vec<usize>>) -> Result<Self, ConfigError> {
        self.check("shared_axes", &[Kind::Dropout, Kind::AlphaDropout, Kind::GaussianDropout, Kind::GaussianNoise])?;
        Ok(Self { shared_axes: axes.into(), ..self })
    }

    /// Whether the last axis of a tensor is its channels, as in JAX and Keras.
    ///
    /// # Errors
    ///
    /// If the kind knows no channels.
    pub fn with_channels_last(self, channels_last: bool) -> Result<Self, ConfigError> {
        self.check("channels_last", &Self::WITH_CHANNELS)?;
        Ok(Self { channels_last, ..self })
    }

    pub(super) const WITH_CHANNELS: [Kind; 6] = [
        Kind::Dropout1d,
        Kind::Dropout2d,
        Kind::Dropout3d,
        Kind::FeatureAlphaDropout,
        Kind::DropBlock2d,
        Kind::DropBlock3d,
    ];

    /// Which samples are dropped together.
    ///
    /// # Errors
    ///
    /// If the kind is not [`Kind::DropPath`].
    pub fn with_mode(self, mode: PathMode) -> Result<Self, ConfigError> {
        self.check("mode", &[Kind::DropPath])?;
        Ok(Self { mode, ..self })
    }

    /// Whether kept paths are multiplied by `1 / (1 - p)`. They are unless this says otherwise.
    ///
    /// # Errors
    ///
    /// If the kind is not [`Kind::DropPath`].
    pub fn with_scale_by_keep(self, scale_by_keep: bool) -> Result<Self, ConfigError> {
        self.check("scale_by_keep", &[Kind::DropPath])?;
        Ok(Self { scale_by_keep, ..self })
    }

    /// How many elements a block has along each axis of the space.
    ///
    /// # Errors
    ///
    /// If the kind drops no blocks, or the size is 0.
    pub fn with_block_size(self, block_size: usize) -> Result<Self, ConfigError> {
        self.check("block_size", &Self::WITH_BLOCKS)?;
        if block_size == 0 { Err(ConfigError::BlockSize) } else { Ok(Self { block_size, ..self }) }
    }

    /// Whether blocks may lie anywhere, and are cut at the border, as in timm.
    ///
    /// # Errors
    ///
    /// If the kind drops no blocks.
    pub fn with_clipping(self, clipping: bool) -> Result<Self, ConfigError> {
        self.check("clipping", &Self::WITH_BLOCKS)?;
        Ok(Self { clipping, ..self })
    }

    /// Whether all channels of a sample lose the same blocks, as in timm.
    ///
    /// # Errors
    ///
    /// If the kind drops no blocks.
    pub fn with_coupled_channels(self, coupled_channels: bool) -> Result<Self, ConfigError> {
        self.check("coupled_channels", &Self::WITH_BLOCKS)?;
        Ok(Self { coupled_channels, ..self })
    }

    const WITH_BLOCKS: [Kind; 2] = [Kind::DropBlock2d, Kind::DropBlock3d];

    /// The amount of noise follows this schedule, and not the [generator's](crate::Generator::set_schedule).
    #[must_use]
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule: Some(schedule), ..self }
    }

    /// What kind of layer it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How much noise there is: p, the standard deviation, or alpha.
    pub fn amount(&self) -> f64 {
        if self.kind.amount() == "p" { self.p.get() } else { self.magnitude.get() }
    }

    /// What there is to say besides the kind and the amount, as names and values in PyTorch's words.
    ///
    /// ```
    /// use nn_dropout::{Config, Kind};
    ///
    /// assert!(Config::new(Kind::Dropout, 0.1)?.options().is_empty());
    /// assert_eq!(Config::new(Kind::DropBlock2d, 0.1)?.options(), [("block_size", "7".to_owned())]);
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let has_blocks = matches!(self.kind, Kind::DropBlock2d | Kind::DropBlock3d);
        let options = [
            (!self.shared_axes.is_empty()).then(|| ("shared_axes", format!("{:?}", self.shared_axes))),
            (self.mode == PathMode::Batch).then(|| ("mode", "batch".to_owned())),
            (!self.scale_by_keep).then(|| ("scale_by_keep", "False".to_owned())),
            has_blocks.then(|| ("block_size", self.block_size.to_string())),
            self.clipping.then(|| ("clipping", "True".to_owned())),
            self.coupled_channels.then(|| ("coupled_channels", "True".to_owned())),
        ];
        options.into_iter().flatten().collect()
    }

    /// What happens to elements of a tensor of this shape, with this standard deviation or alpha.
    #[inline]
    pub(super) fn effect(&self, magnitude: Magnitude, shape: &[usize]) -> Effect {
        if self.scale_by_keep { self.kind.effect(magnitude, shape) } else { Effect::Keep }
    }

    fn check(&self, option: &'static str, kinds: &'static [Kind]) -> Result<(), ConfigError> {
        let kind = self.kind;
        if kinds.contains(&kind) { Ok(()) } else { Err(ConfigError::Option { option, kinds, kind }) }
    }
}

impl From<Probability> for Config {
    /// Plain [`Dropout`](crate::Dropout).
    fn from(p: Probability) -> Self {
        let dropout = Self::new(Kind::Dropout, 0.0);
        Self { p, ..dropout.unwrap_or_else(|error| unreachable!("0 is a probability, but: {error}")) }
    }
}

impl fmt::Display for Config {
    /// As PyTorch prints a layer: `DropBlock2d(p=0.1, block_size=7)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, p, magnitude, .. } = self;
        match kind.amount() {
            "p" => write!(f, "{kind}(p={p}")?,
            name => write!(f, "{kind}({name}={magnitude}")?,
        }
        for (name, value) in self.options() {
            write!(f, ", {name}={value}")?;
        }
        f.write_str(")")
    }
}

/// Settings of which no layer can be made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A p outside `[0, 1]`, or NaN.
    Probability(ProbabilityError),
    /// A standard deviation or an alpha that is negative, infinite or NaN.
    Magnitude(&'static str, MagnitudeError),
    /// Gaussian dropout with p = 1: its noise has variance `p / (1 - p)`.
    NoVariance,
    /// Blocks of size 0.
    BlockSize,
    /// An option that the kind does not take.
    Option {
        /// The option.
        option: &'static str,
        /// The kinds that take it.
        kinds: &'static [Kind],
        /// The kind that does not.
        kind: Kind,
    },
    /// Settings that do not say how much noise there is by the number that the kind takes, and by no other.
    Amount(Kind),
}

impl From<ProbabilityError> for ConfigError {
    fn from(error: ProbabilityError) -> Self {
        Self::Probability(error)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probability(error) => error.fmt(f),
            Self::Magnitude(name, error) => write!(f, "{name}: {error}"),
            Self::NoVariance => {
                f.write_str("gaussian-dropout takes p below 1: the variance of its noise is p / (1 - p)")
            }
            Self::BlockSize => f.write_str("block_size has to be at least 1, but got 0"),
            Self::Option { option, kinds, kind } => {
                let kinds: Vec<String> = kinds.iter().map(|kind| kind.name()).collect();
                write!(f, "{option} is for {}, not for {}", kinds.join(", "), kind.name())
            }
            Self::Amount(kind) => {
                let others = ["p", "stddev", "alpha"].into_iter().filter(|name| *name != kind.amount());
                let others: Vec<&str> = others.collect();
                write!(f, "{} needs `{}`, and takes no `{}`", kind.name(), kind.amount(), others.join("` or `"))
            }
        }
    }
}

impl Error for ConfigError {}

#[cfg(feature = "serde")]
mod file {
    use std::fmt;

    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize};

    use super::{BLOCK_SIZE, Config, ConfigError, Kind, PathMode, Schedule};

    /// All keys of a table.
    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    pub struct Keys {
        kind: Kind,
        #[serde(skip_serializing_if = "Option::is_none")]
        p: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        stddev: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        alpha: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        shared_axes: Option<Vec<usize>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        channels_last: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<PathMode>,
        #[serde(skip_serializing_if = "Option::is_none")]
        scale_by_keep: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        block_size: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        clipping: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        coupled_channels: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        schedule: Option<Schedule>,
    }

    /// What a configuration is written as.
    #[derive(Serialize)]
    #[serde(untagged)]
    pub enum Written {
        Rate(f64),
        Table(Box<Keys>),
    }

    impl From<Config> for Written {
        fn from(config: Config) -> Self {
            if config == Config::from(config.p) {
                return Self::Rate(config.p.get());
            }
            let amount = |name: &str| (config.kind.amount() == name).then(|| config.amount());
            Self::Table(Box::new(Keys {
                kind: config.kind,
                p: amount("p"),
                stddev: amount("stddev"),
                alpha: amount("alpha"),
                channels_last: config.channels_last.then_some(true),
                mode: (config.mode != PathMode::Row).then_some(config.mode),
                scale_by_keep: (!config.scale_by_keep).then_some(false),
                block_size: (config.block_size != BLOCK_SIZE).then_some(config.block_size),
                clipping: config.clipping.then_some(true),
                coupled_channels: config.coupled_channels.then_some(true),
                schedule: config.schedule,
                shared_axes: (!config.shared_axes.is_empty()).then_some(config.shared_axes),
            }))
        }
    }

    impl TryFrom<Keys> for Config {
        type Error = ConfigError;

        fn try_from(keys: Keys) -> Result<Self, ConfigError> {
            let kind = keys.kind;
            let amounts = [("p", keys.p), ("stddev", keys.stddev), ("alpha", keys.alpha)];
            let is_needed = |name: &str| name == kind.amount();
            if amounts.iter().any(|(name, amount)| amount.is_some() != is_needed(name)) {
                return Err(ConfigError::Amount(kind));
            }
            let amount = amounts.into_iter().find_map(|(_, amount)| amount).ok_or(ConfigError::Amount(kind))?;
            let mut config = Self::new(kind, amount)?;
            if let Some(axes) = keys.shared_axes {
                config = config.with_shared_axes(axes)?;
            }
            if let Some(channels_last) = keys.channels_last {
                config = config.with_channels_last(channels_last)?;
            }
            if let Some(mode) = keys.mode {
                config = config.with_mode(mode)?;
            }
            if let Some(scale_by_keep) = keys.scale_by_keep {
                config = config.with_scale_by_keep(scale_by_keep)?;
            }
            if let Some(block_size) = keys.block_size {
                config = config.with_block_size(block_size)?;
            }
            if let Some(clipping) = keys.clipping {
                config = config.with_clipping(clipping)?;
            }
            if let Some(coupled_channels) = keys.coupled_channels {
                config = config.with_coupled_channels(coupled_channels)?;
            }
            Ok(match keys.schedule {
                Some(schedule) => config.with_schedule(schedule),
                None => config,
            })
        }
    }

    impl<'de> Deserialize<'de> for Config {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct RateOrTable;
            impl<'de> Visitor<'de> for RateOrTable {
                type Value = Config;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a dropout rate from 0 to 1, or a table with `kind` and `p`")
                }

                fn visit_f64<E: Error>(self, p: f64) -> Result<Config, E> {
                    Config::new(Kind::Dropout, p).map_err(E::custom)
                }

                fn visit_i64<E: Error>(self, p: i64) -> Result<Config, E> {
                    self.visit_f64(p as f64)
                }

                fn visit_u64<E: Error>(self, p: u64) -> Result<Config, E> {
                    self.visit_f64(p as f64)
                }

                fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Config, A::Error> {
                    let keys = Keys::deserialize(MapAccessDeserializer::new(map))?;
                    Config::try_from(keys).map_err(A::Error::custom)
                }
            }
            deserializer.deserialize_any(RateOrTable)
        }
    }
}
#[cfg(feature = "serde")]
use file::Written;
