//! A layer, as a user describes it.

use std::num::NonZeroUsize;

use anyhow::{Result, anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nn_dropout::{Config, ConfigError, Kind, PathMode, Probability, Schedule};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::file::Keys;
use super::numbers::{NotNegative, PROBABILITY, count, probability, whole};
use super::value::{Value, expected, number};
use crate::words;

/// What makes a layer: options on the command line, or the keys of a table.
#[derive(clap::Args)]
pub struct LayerOptions {
    #[arg(long, value_name = "NAME", value_parser = kind, help = format!("The layer: {}", Kind::names_of_one_tensor()))]
    layer: Kind,
    /// The probability that an element, or what the layer drops, is dropped (all layers but the next two)
    #[arg(long, value_name = "P", value_parser = probability)]
    p: Option<Probability>,
    /// The standard deviation of the noise (gaussian-noise)
    #[arg(long, value_name = "S")]
    stddev: Option<NotNegative>,
    /// The noise lies within plus and minus A over the root of the size of the last two axes (neftune-noise)
    #[arg(long, value_name = "A")]
    alpha: Option<NotNegative>,
    /// The axes on which the mask has size 1, numbered from 0 (dropout, alpha-dropout, gaussian-dropout, gaussian-noise)
    #[arg(long, value_name = "AXIS,...", value_delimiter = ',', value_parser = whole::<usize>)]
    shared_axes: Option<Vec<usize>>,
    /// Take the last axis for the channels, as JAX and Keras do (dropout1d, dropout2d, dropout3d, feature-alpha-dropout,
    /// drop-block2d, drop-block3d)
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    channels_last: Option<bool>,
    /// Drop each sample alone, or all of a batch (drop-path) [default: row]
    #[arg(long, value_name = "row|batch", hide_possible_values = true, value_parser = path_mode())]
    mode: Option<PathMode>,
    /// Whether kept samples are multiplied by 1 / (1 - p) (drop-path) [default: true]
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    scale_by_keep: Option<bool>,
    /// The elements of a block along each axis (drop-block2d, drop-block3d) [default: 7]
    #[arg(long, value_name = "N", value_parser = count)]
    block_size: Option<NonZeroUsize>,
    /// Cut blocks at the border, as timm does, and do not keep them within it (drop-block2d, drop-block3d)
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    clipping: Option<bool>,
    /// Drop the same blocks in all channels, as timm does (drop-block2d, drop-block3d)
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    coupled_channels: Option<bool>,
}

impl LayerOptions {
    pub fn kind(&self) -> Kind {
        self.layer
    }

    /// The configuration that the options of the command line make.
    pub fn config(&self) -> Result<Config> {
        self.named(|name| format!("--{}", name.replace('_', "-"))).map_err(|error| anyhow!(error))
    }

    /// The configuration, with errors that name options in this way.
    fn named(&self, named: impl Fn(&str) -> String) -> Result<Config, String> {
        let (kind, needed) = (self.layer, self.layer.amount());
        let numbers = [self.stddev, self.alpha].map(|number| number.map(NotNegative::get));
        let amounts = [("p", self.p.map(Probability::get)), ("stddev", numbers[0]), ("alpha", numbers[1])];
        if let Some((other, _)) = amounts.iter().find(|(name, amount)| *name != needed && amount.is_some()) {
            return Err(format!("{} is not for {}, which takes {}", named(other), kind.name(), named(needed)));
        }
        let amount = amounts.into_iter().find_map(|(_, amount)| amount);
        let amount = amount.ok_or_else(|| format!("{} needs {}", kind.name(), named(needed)))?;
        self.with_options(kind, amount).map_err(|error| match error {
            ConfigError::Option { option, .. } => error.to_string().replacen(option, &named(option), 1),
            error => error.to_string(),
        })
    }

    fn with_options(&self, kind: Kind, amount: f64) -> Result<Config, ConfigError> {
        let mut config = Config::new(kind, amount)?;
        if let Some(axes) = &self.shared_axes {
            config = config.with_shared_axes(axes.as_slice())?;
        }
        if let Some(channels_last) = self.channels_last {
            config = config.with_channels_last(channels_last)?;
        }
        if let Some(mode) = self.mode {
            config = config.with_mode(mode)?;
        }
        if let Some(scale_by_keep) = self.scale_by_keep {
            config = config.with_scale_by_keep(scale_by_keep)?;
        }
        if let Some(size) = self.block_size {
            config = config.with_block_size(size.get())?;
        }
        if let Some(clipping) = self.clipping {
            config = config.with_clipping(clipping)?;
        }
        if let Some(coupled_channels) = self.coupled_channels {
            config = config.with_coupled_channels(coupled_channels)?;
        }
        Ok(config)
    }
}

/// A kind of layer that takes one tensor, by its name.
pub fn kind(name: &str) -> Result<Kind, String> {
    match name.parse::<Kind>() {
        Ok(kind) if kind.takes_one_tensor() => Ok(kind),
        Ok(kind) => Err(format!(
            "{} needs more than one tensor (a second one, labels, a graph, or a network's layer); expected one of {}",
            kind.name(),
            Kind::names_of_one_tensor()
        )),
        Err(_) => Err(format!("expected one of {}, but got {name}", Kind::names_of_one_tensor())),
    }
}

fn path_mode() -> impl TypedValueParser<Value = PathMode> {
    PossibleValuesParser::new(["row", "batch"])
        .map(|mode| if mode == "batch" { PathMode::Batch } else { PathMode::Row })
}

/// A table that is a layer.
pub const EXAMPLE: &str = r#"{ kind = "drop-path", p = 0.1 }"#;

/// All keys of such a table.
const KEYS: [&str; 12] = [
    "kind",
    "p",
    "stddev",
    "alpha",
    "shared_axes",
    "channels_last",
    "mode",
    "scale_by_keep",
    "block_size",
    "clipping",
    "coupled_channels",
    "schedule",
];

/// A rate, or a table as TOML: in braces, or the keys alone.
pub fn dropout(text: &str) -> Result<Config, String> {
    if text.parse::<f64>().is_ok() {
        return probability(text).map(Config::from);
    }
    let table = if text.trim_start().starts_with('{') { text.to_owned() } else { format!("{{ {text} }}") };
    match DeValue::parse(&table) {
        Ok(table) => Config::of(table.get_ref()),
        Err(_) => Err(format!("expected {PROBABILITY}, or a table such as {EXAMPLE}, but got {text}")),
    }
}

/// A rate, or a table.
impl Value for Config {
    fn of(value: &DeValue) -> Result<Self, String> {
        match value {
            DeValue::Table(table) => of_table(table).map_err(|error| error.to_string()),
            _ if number(value).is_some() => Probability::of(value).map(Self::from),
            _ => Err(expected(&format!("{PROBABILITY}, or a table such as {EXAMPLE}"), value)),
        }
    }
}

fn of_table(table: &DeTable) -> Result<Config> {
    let mut keys = Keys::of(table);
    let schedule: Option<Schedule> = keys.take("schedule")?;
    let options = LayerOptions {
        layer: keys.take("kind")?.ok_or_else(|| anyhow!("a table has a key `kind`, as in dropout = {EXAMPLE}"))?,
        p: keys.take("p")?,
        stddev: keys.take("stddev")?,
        alpha: keys.take("alpha")?,
        shared_axes: keys.take("shared_axes")?,
        channels_last: keys.take("channels_last")?,
        mode: keys.take("mode")?,
        scale_by_keep: keys.take("scale_by_keep")?,
        block_size: keys.take("block_size")?,
        clipping: keys.take("clipping")?,
        coupled_channels: keys.take("coupled_channels")?,
    };
    if let Some((key, _)) = keys.next() {
        let accepted = match words::nearest(key, KEYS) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("the keys are {}", KEYS.join(", ")),
        };
        bail!("unknown key `{key}`: {accepted}");
    }
    let config = options.named(|key| format!("`{key}`")).map_err(|error| anyhow!(error))?;
    Ok(match schedule {
        Some(schedule) => config.with_schedule(schedule),
        None => config,
    })
}

impl Value for Kind {
    fn of(value: &DeValue) -> Result<Self, String> {
        String::of(value).and_then(|name| kind(&name))
    }
}

impl Value for PathMode {
    fn of(value: &DeValue) -> Result<Self, String> {
        match value.as_str() {
            Some("row") => Ok(Self::Row),
            Some("batch") => Ok(Self::Batch),
            _ => Err(expected("\"row\" or \"batch\"", value)),
        }
    }
}

impl Value for Schedule {
    fn of(value: &DeValue) -> Result<Self, String> {
        let value = ValueDeserializer::from(Spanned::new(0..0, value.clone()));
        Self::deserialize(value).map_err(|error| error.message().replace('\n', " "))
    }
}

/// The kind of a layer and its amount of noise: `dropout p = 0.5`.
pub fn shown(config: &Config) -> String {
    let kind = config.kind();
    format!("{} {} = {}", kind.name(), kind.amount(), config.amount())
}
