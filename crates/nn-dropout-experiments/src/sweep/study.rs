//! A study: the trials of a sweep, in their order.
//!
//! They depend only on the results of earlier trials, never on how many run side by side or when they end.

use std::num::NonZeroUsize;

use anyhow::Result;

use super::pruner;
use super::sampler::{Sampler, Strategy};
use super::trial::{Block, Results, Trial, TrialResult};
use crate::metric::Metric;

/// All trials that are known by now.
pub struct Study {
    pub sampler: Sampler,
    pub seed: u64,
    /// What each candidate is trained with: seeds, and folds.
    pub blocks: Vec<Block>,
    pub metric: Metric,
    /// The number of measurements of a training.
    pub measurements: usize,
    pub trials: Vec<Trial>,
}

/// All folds of a seed come before the next seed, so that a sweep that is cut short has used all rows.
pub fn blocks(seed: u64, seeds: usize, folds: Option<NonZeroUsize>) -> Vec<Block> {
    let seeds = (0..seeds as u64).map(|n| seed.wrapping_add(n));
    let folds: Vec<Option<NonZeroUsize>> =
        folds.map_or(vec![None], |folds| (1..=folds.get()).map(NonZeroUsize::new).collect());
    seeds.flat_map(|seed| folds.iter().map(move |fold| (seed, *fold)).collect::<Vec<_>>()).collect()
}

/// A candidate is sampled from all earlier results except the last `LAG`. So up to this many trials can run side by side, and their
/// number does not change the study.
const LAG: usize = 8;

impl Study {
    /// The number of trials that there will be.
    pub fn len(&self) -> usize {
        self.sampler.trials(self.blocks.len())
    }

    /// The results of the trials that have ended, in their order.
    pub fn ended<'a>(&self, results: &'a Results) -> Vec<&'a TrialResult> {
        self.trials.iter().filter_map(|trial| results.get(trial)).collect()
    }

    /// Adds the trials that follow from these results.
    pub fn extend(&mut self, results: &Results) -> Result<()> {
        match &self.sampler {
            Sampler::Grid(candidates) if self.trials.is_empty() => {
                // Block by block, so that a sweep that is cut short has tried all rates.
                let of_block = |block| candidates.iter().map(move |candidate| Trial::new(candidate.clone(), block));
                self.trials = self.blocks.iter().flat_map(|&block| of_block(block)).collect();
            }
            Sampler::Grid(_) => {}
            Sampler::Search { strategy, space, trials: count } => {
                while self.trials.len() < *count {
                    let known = &self.trials[..self.known(self.trials.len())];
                    let Some(known) = known.iter().map(|trial| results.get(trial)).collect::<Option<Vec<_>>>() else {
                        break;
                    };
                    let number = self.trials.len() as u64;
                    let candidate = space.ask(*strategy, &known, self.metric, self.seed, number)?;
                    // A candidate that is sampled again gets other seeds.
                    let before = self.trials.iter().filter(|trial| trial.candidate == candidate).count();
                    for n in before..before + self.blocks.len().min(count - self.trials.len()) {
                        let (seed, fold) = self.blocks[n % self.blocks.len()];
                        let seeds = self.blocks.iter().filter(|block| block.1 == fold).count();
                        let seed = seed.wrapping_add((n / self.blocks.len() * seeds) as u64);
                        self.trials.push(Trial::new(candidate.clone(), (seed, fold)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The number of trials whose results a trial's candidate is sampled from.
    fn known(&self, trial: usize) -> usize {
        (trial - trial % self.blocks.len()).saturating_sub(LAG)
    }

    /// The merit that a trial has to have reached by each measurement. A grid has no limits, so that its curve is complete.
    pub fn limits(&self, trial: usize, results: &Results) -> Vec<f64> {
        let known = self.trials[..self.known(trial)].iter().filter_map(|trial| results.get(trial));
        let block = self.trials[trial].block();
        match self.sampler {
            Sampler::Grid(_) => Vec::new(),
            Sampler::Search { strategy: Strategy::Tpe, .. } => pruner::medians(known, self.metric),
            Sampler::Search { strategy: Strategy::Asha, .. } => {
                let same = known.filter(|result| result.trial.block() == block);
                pruner::halving(&same, self.measurements, self.metric)
            }
        }
    }
}
