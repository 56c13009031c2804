//! How the candidates of a sweep are found.

use std::num::NonZeroUsize;

use anyhow::Result;
use nn_dropout::Probability;

use super::tpe::Space;
use super::trial::Candidate;
use crate::settings::numbers::LearningRate;

pub enum Sampler {
    /// Every rate.
    Grid(Vec<Probability>),
    /// A tree-structured Parzen estimator, for this many trials.
    Tpe(Space, usize),
}

impl Sampler {
    /// The number of trials with this many seeds for each candidate.
    pub fn trials(&self, seeds: usize) -> usize {
        match self {
            Self::Grid(rates) => rates.len().saturating_mul(seeds),
            Self::Tpe(_, trials) => *trials,
        }
    }

    /// Candidates to try first: if their settings are valid, so are those of all.
    pub fn extremes(&self) -> Result<Vec<Candidate>> {
        match self {
            Self::Grid(rates) => Ok(rates.first().copied().map(Candidate::rate).into_iter().collect()),
            Self::Tpe(space, _) => Ok(vec![Candidate {
                dropout: Probability::new(space.rates.high)?,
                hidden: space.hidden.as_ref().and_then(|range| NonZeroUsize::new(range.high as usize)),
                learning_rate: space.learning_rate.as_ref().and_then(|range| LearningRate::try_from(range.high).ok()),
            }]),
        }
    }
}
