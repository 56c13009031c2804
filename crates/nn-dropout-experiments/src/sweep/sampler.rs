//! How the candidates of a sweep are found.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use nn_dropout::{Config, Kind};

use super::space::Space;
use super::trial::Candidate;
use crate::settings::numbers::{LearningRate, Range};

pub enum Sampler {
    /// Every candidate.
    Grid(Vec<Candidate>),
    Search {
        strategy: Strategy,
        space: Space,
        /// The number of trainings.
        trials: usize,
    },
}

/// How a space is searched.
#[derive(Clone, Copy, PartialEq)]
pub enum Strategy {
    /// By a tree-structured Parzen estimator, with the median stopping rule.
    Tpe,
    /// At random, with successive halving.
    Asha,
}

/// Any amount of noise that all layers can have.
const AMOUNT: f64 = 0.1;

impl Sampler {
    /// Every layer with every rate, and with each rate of dropout of the features if they are tried apart.
    pub fn grid(layers: &[Config], rates: &[f64], input_rates: Option<&[f64]>) -> Result<Self> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for layer in layers {
            for &rate in rates {
                let dropout = layer.clone().with_amount(rate).context("--rates")?;
                let inputs = match input_rates {
                    Some(rates) => rates.iter().map(|&rate| Config::new(Kind::Dropout, rate).map(Some)).collect(),
                    None => Ok(vec![None]),
                };
                for input_dropout in inputs.context("--input-rates")? {
                    candidates.push(Candidate { input_dropout, ..Candidate::layer(dropout.clone()) });
                }
            }
        }
        Ok(Self::Grid(candidates))
    }

    /// The number of trials with this many for each candidate.
    pub fn trials(&self, blocks: usize) -> usize {
        match self {
            Self::Grid(candidates) => candidates.len().saturating_mul(blocks),
            Self::Search { trials, .. } => *trials,
        }
    }

    /// The name of the search.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Grid(_) => GRID,
            Self::Search { strategy, .. } => strategy.name(),
        }
    }

    /// The options of `sweep` that make it.
    pub fn options(&self, seeds: usize) -> String {
        let mut words = vec![format!("--seeds {seeds}")];
        match self {
            Self::Grid(candidates) => {
                let list = |of: &dyn Fn(&Candidate) -> Option<String>| {
                    let mut values: Vec<String> = candidates.iter().filter_map(of).collect();
                    let mut seen = HashSet::new();
                    values.retain(|value| seen.insert(value.clone()));
                    values
                };
                words.push(format!("--rates {}", list(&|of| Some(of.dropout.amount().to_string())).join(",")));
                let inputs = list(&|of| of.input_dropout.as_ref().map(|input| input.amount().to_string()));
                words.extend((!inputs.is_empty()).then(|| format!("--input-rates {}", inputs.join(","))));
                let layer = |of: &Candidate| {
                    let layer = of.dropout.clone().with_amount(AMOUNT).ok()?;
                    Some(toml::Value::try_from(layer).ok()?.to_string())
                };
                let layers = list(&layer);
                if layers.len() > 1 {
                    words.extend(layers.iter().map(|layer| format!("--layer '{layer}'")));
                }
            }
            Self::Search { strategy, space, trials } => {
                let range = |range: &Range| format!("{},{}", range.low, range.high);
                words.push(format!("--search {} --trials {trials} --rates {}", strategy.name(), range(&space.rates)));
                words.extend(space.input_rates.iter().map(|rates| format!("--input-rates {}", range(rates))));
                words.extend(space.hidden.iter().map(|range| format!("--hidden-range {range}")));
                words.extend(space.learning_rate.iter().map(|range| format!("--learning-rate-range {range}")));
            }
        }
        words.join(" ")
    }

    /// Candidates to try first: if their settings are valid, so are those of all.
    pub fn extremes(&self) -> Result<Vec<Candidate>> {
        match self {
            // The rates have been checked, but a layer may not be one for these data.
            Self::Grid(candidates) => {
                let mut layers = HashSet::new();
                let first = candidates.iter().filter(|candidate| layers.insert(candidate.layer_name()));
                Ok(first.cloned().collect())
            }
            Self::Search { space, .. } => Ok(vec![Candidate {
                dropout: space.dropout.clone().with_amount(space.rates.high)?,
                input_dropout: space.input(|rates| rates.high)?,
                hidden: space.hidden.as_ref().and_then(|range| NonZeroUsize::new(range.high as usize)),
                learning_rate: space.learning_rate.as_ref().and_then(|range| LearningRate::try_from(range.high).ok()),
            }]),
        }
    }
}

impl Strategy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tpe => "tpe",
            Self::Asha => "asha",
        }
    }
}

/// The name of the search that tries every candidate.
pub const GRID: &str = "grid";

/// What a search did, in sentences, by its name.
pub fn account(search: &str, candidates: usize, trials: usize, stopped: usize) -> String {
    let were = if stopped == 1 { "was" } else { "were" };
    let stopped = |rule: &str| format!(" {stopped} of {trials} trials {were} stopped early by {rule}.");
    if search == Strategy::Tpe.name() {
        format!(
            "A tree-structured Parzen estimator (Bergstra et al. 2011) chose {candidates} candidates, each by the results of those \
             before it.{}",
            stopped("the median stopping rule (Golovin et al. 2017)")
        )
    } else if search == Strategy::Asha.name() {
        format!(
            "{candidates} candidates were drawn at random, and at each rung the best third of the trials with the same seed went on.{}",
            stopped("successive halving (ASHA, Li et al. 2020)")
        )
    } else {
        format!("All {trials} trials of a grid of {candidates} candidates were trained in full.")
    }
}
