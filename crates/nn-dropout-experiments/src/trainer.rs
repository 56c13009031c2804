//! What all training loops share.

use anyhow::{Result, anyhow, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use nn_dropout::{Config, DrawError, Effect, Generator, Kind, Layer, Schedule};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Metrics, Scores};

/// The most weights of a model: with gradients and AdamW's two moments, 16 GB.
pub const MAX_PARAMETERS: usize = 1_000_000_000;

/// A model in training.
pub trait Trainer {
    /// Trains until the model has been measured again. `None` at the end, or on an interrupt.
    fn advance(&mut self) -> Result<Option<Metrics>>;

    /// The number of epochs, or steps, from the beginning to the end.
    fn length(&self) -> usize;

    /// The scores of the validation part now.
    fn validate(&self) -> Validated;

    /// The whole state, to resume from; `None` if starting again costs little.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// The scores of the validation part.
#[derive(Clone, Deserialize, Serialize)]
#[serde(from = "Stored")]
pub struct Validated {
    pub scores: Scores,
    /// The metric that decides, with each of [`GROUPS`] groups of what was sampled left out in turn.
    pub left_out: Vec<f64>,
    /// Which of the groups are there at all.
    pub groups: Vec<bool>,
}

/// The same in JSON, where a number that is none is `null`.
#[derive(Deserialize)]
struct Stored {
    scores: Vec<(Metric, Option<f64>)>,
    left_out: Vec<Option<f64>>,
    groups: Vec<bool>,
}

impl From<Stored> for Validated {
    fn from(Stored { scores, left_out, groups }: Stored) -> Self {
        let number = |number: Option<f64>| number.unwrap_or(f64::NAN);
        Self {
            scores: scores.into_iter().map(|(metric, value)| (metric, number(value))).collect(),
            left_out: left_out.into_iter().map(number).collect(),
            groups,
        }
    }
}

/// The groups of a jackknife.
pub const GROUPS: usize = 20;

/// The group of a unit of the data. It is the same in all trainings on the same data.
pub fn group(unit: u64) -> usize {
    rng(unit, GROUP_STREAM).random_range(0..GROUPS)
}

/// The stream of a unit's number that its group is drawn from.
const GROUP_STREAM: u64 = 0;

/// Random numbers from one stream of a seed. Every use of the seed has its own stream, so that a change to one leaves the others
/// as they are.
pub fn rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A network's activations: tensors whose first axis is a batch.
pub struct Activations {
    /// What they are, for messages.
    pub name: &'static str,
    /// Their shapes without the batch. The sizes are examples.
    pub shapes: &'static [&'static [usize]],
}

impl Activations {
    /// Refuses dropout that does not take them.
    pub fn check(&self, config: &Config, generator: &Generator) -> Result<()> {
        let Err(why) = self.takes(config, generator) else { return Ok(()) };
        let takes = |kind: &Kind| {
            let plain = Config::new(*kind, AMOUNT);
            kind.takes_one_tensor() && plain.is_ok_and(|config| self.takes(&config, generator).is_ok())
        };
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(takes).collect();
        if kinds.contains(&config.kind()) {
            bail!("dropout of {}: {why}", self.name);
        }
        let kinds: Vec<String> = kinds.into_iter().map(Kind::name).collect();
        bail!("dropout of {}: {why}; expected one of {}", self.name, kinds.join(", "))
    }

    /// Whether a layer takes them, and takes their first axis for a batch.
    fn takes(&self, config: &Config, generator: &Generator) -> Result<()> {
        let kind = config.kind().name();
        // Without noise there would be nothing to look at.
        let config = config.clone().with_amount(AMOUNT)?.with_schedule(Schedule::Constant);
        // A generator of the same kind, so that this one does not move.
        let mut layer = Layer::from_config(config, &Generator::from_state(generator.state()));
        layer.monte_carlo();
        for &shape in self.shapes {
            let of_batch = |size: usize| match layer.draw(&[&[size], shape].concat()) {
                Err(DrawError::Numbers(_)) => {
                    Err(anyhow!("{kind} needs --rng philox: PyTorch's masks have no numbers"))
                }
                draw => Ok(draw?),
            };
            let [small, large] = [2, 3].map(of_batch);
            let (Some(small), Some(large)) = (small?, large?) else { continue };
            ensure!(small.effect() != Effect::DropKey, "drop-key is for the scores before a softmax");
            let strides = small.index().strides(&[&[2], shape].concat())?;
            let is_batch = strides[0] == 0 && small.effect() == large.effect();
            ensure!(is_batch, "{kind} does not take the first axis for a batch of samples");
        }
        Ok(())
    }
}

/// Any amount of noise that all layers can have.
const AMOUNT: f64 = 0.5;

/// A bar over `count` units, shown on a terminal only.
pub fn progress_bar(unit: &str, count: usize, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    // A layer's table has braces, which have a meaning in a template.
    let unit = unit.replace('{', "{{").replace('}', "}}");
    let style =
        ProgressStyle::with_template(&format!("{{bar:30}} {unit} {{pos}}/{{len}}, {{eta}} left, {{prefix}}{{msg}}"));
    let style = style.expect("the template is well-formed");
    ProgressBar::new(count as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_takes_any_unit() {
        progress_bar("of { kind = \"linear\" }, epoch", 3, false);
    }
}
