//! A layer, as a user describes it.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nn_dropout::{Config, ConfigError, Kind, PathMode, Probability};

use super::numbers::{NotNegative, count, probability, whole};

/// The options that make a layer.
#[derive(clap::Args)]
pub struct LayerOptions {
    #[arg(long, value_name = "NAME", value_parser = kind, help = format!("The layer: {}", names()))]
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
    #[arg(long)]
    channels_last: bool,
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
    #[arg(long)]
    clipping: bool,
    /// Drop the same blocks in all channels, as timm does (drop-block2d, drop-block3d)
    #[arg(long)]
    coupled_channels: bool,
}

impl LayerOptions {
    pub fn kind(&self) -> Kind {
        self.layer
    }

    /// The configuration that they make.
    pub fn config(&self) -> Result<Config> {
        let (kind, needed) = (self.layer, self.layer.amount());
        let numbers = [self.stddev, self.alpha].map(|number| number.map(NotNegative::get));
        let amounts = [("p", self.p.map(Probability::get)), ("stddev", numbers[0]), ("alpha", numbers[1])];
        if let Some((other, _)) = amounts.iter().find(|(name, amount)| *name != needed && amount.is_some()) {
            bail!("--{other} is not for {}, which takes --{needed}", kind.name());
        }
        let amount = amounts.into_iter().find_map(|(_, amount)| amount);
        let amount = amount.with_context(|| format!("{} needs --{needed}", kind.name()))?;
        self.with_options(kind, amount).map_err(in_words)
    }

    fn with_options(&self, kind: Kind, amount: f64) -> Result<Config, ConfigError> {
        let mut config = Config::new(kind, amount)?;
        if let Some(axes) = &self.shared_axes {
            config = config.with_shared_axes(axes.as_slice())?;
        }
        if self.channels_last {
            config = config.with_channels_last()?;
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
        if self.clipping {
            config = config.with_clipping(true)?;
        }
        if self.coupled_channels {
            config = config.with_coupled_channels(true)?;
        }
        Ok(config)
    }
}

/// The error, with the option as it is on the command line.
fn in_words(error: ConfigError) -> anyhow::Error {
    match error {
        ConfigError::Option { option, .. } => {
            anyhow!("--{}", error.to_string().replacen(option, &option.replace('_', "-"), 1))
        }
        error => error.into(),
    }
}

/// A kind of layer that takes one tensor, by its name.
pub fn kind(name: &str) -> Result<Kind, String> {
    match name.parse::<Kind>() {
        Ok(kind) if kind.takes_one_tensor() => Ok(kind),
        Ok(kind) => Err(format!(
            "{} needs more than one tensor (a second one, labels, a graph, or a network's layer); expected one of {}",
            kind.name(),
            names()
        )),
        Err(_) => Err(format!("expected one of {}, but got {name}", names())),
    }
}

/// The names of the kinds that take one tensor.
fn names() -> String {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor());
    kinds.map(Kind::name).collect::<Vec<_>>().join(", ")
}

fn path_mode() -> impl TypedValueParser<Value = PathMode> {
    PossibleValuesParser::new(["row", "batch"])
        .map(|mode| if mode == "batch" { PathMode::Batch } else { PathMode::Row })
}
