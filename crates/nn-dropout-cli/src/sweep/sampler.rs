//! How the candidates of a sweep are found.

use std::num::NonZeroUsize;

use anyhow::Result;
use nn_dropout::Config;

use super::tpe::Space;
use super::trial::Candidate;
use crate::settings::numbers::LearningRate;

pub enum Sampler {
    /// Every layer, which differ in their amount of noise.
    Grid(Vec<Config>),
    /// A tree-structured Parzen estimator, for this many trials.
    Tpe(Space, usize),
}

impl Sampler {
    /// The number of trials with this many seeds for each candidate.
    pub fn trials(&self, seeds: usize) -> usize {
        match self {
            Self::Grid(layers) => layers.len().saturating_mul(seeds),
            Self::Tpe(_, trials) => *trials,
        }
    }

    /// Candidates to try first: if their settings are valid, so are those of all.
    pub fn extremes(&self) -> Result<Vec<Candidate>> {
        match self {
            Self::Grid(layers) => Ok(layers.first().cloned().map(Candidate::layer).into_iter().collect()),
            Self::Tpe(space, _) => Ok(vec![Candidate {
                dropout: space.dropout.clone().with_amount(space.rates.high)?,
                hidden: space.hidden.as_ref().and_then(|range| NonZeroUsize::new(range.high as usize)),
                learning_rate: space.learning_rate.as_ref().and_then(|range| LearningRate::try_from(range.high).ok()),
            }]),
        }
    }
}
