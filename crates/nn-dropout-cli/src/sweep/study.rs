//! A study: the trials of a sweep, in their order.
//!
//! They depend only on the results of earlier trials, never on how many run side by side or when they end.

use anyhow::Result;
use nn_dropout::Config;

use super::pruner;
use super::sampler::Sampler;
use super::trial::{Candidate, Results, Trial, TrialResult};
use crate::metric::Metric;

/// All trials that are known by now.
pub struct Study {
    pub sampler: Sampler,
    pub seed: u64,
    pub seeds: usize,
    pub metric: Metric,
    pub trials: Vec<Trial>,
}

/// A candidate is sampled from all earlier results except the last `LAG`. So up to this many trials can run side by side, and their
/// number does not change the study.
const LAG: usize = 8;

impl Study {
    /// The number of trials that there will be.
    pub fn len(&self) -> usize {
        self.sampler.trials(self.seeds)
    }

    /// The results of the trials that have ended, in their order.
    pub fn ended<'a>(&self, results: &'a Results) -> Vec<&'a TrialResult> {
        self.trials.iter().filter_map(|trial| results.get(trial)).collect()
    }

    /// Adds the trials that follow from these results.
    pub fn extend(&mut self, results: &Results) -> Result<()> {
        match &self.sampler {
            Sampler::Grid(layers) if self.trials.is_empty() => {
                // Seed by seed, so that a sweep that is cut short has tried all rates.
                let seeds = (0..self.seeds as u64).map(|n| self.seed.wrapping_add(n));
                let trial = |seed| move |layer: &Config| Trial { candidate: Candidate::layer(layer.clone()), seed };
                self.trials = seeds.flat_map(|seed| layers.iter().map(trial(seed))).collect();
            }
            Sampler::Grid(_) => {}
            Sampler::Tpe(space, count) => {
                while self.trials.len() < *count {
                    let known = &self.trials[..self.known(self.trials.len())];
                    let Some(known) = known.iter().map(|trial| results.get(trial)).collect::<Option<Vec<_>>>() else {
                        break;
                    };
                    let candidate = space.ask(&known, self.metric, self.seed, self.trials.len() as u64)?;
                    // A candidate that is sampled again gets other seeds.
                    let before = self.trials.iter().filter(|trial| trial.candidate == candidate).count();
                    for n in before..before + self.seeds.min(count - self.trials.len()) {
                        let seed = self.seed.wrapping_add(n as u64);
                        self.trials.push(Trial { candidate: candidate.clone(), seed });
                    }
                }
            }
        }
        Ok(())
    }

    /// The number of trials whose results a trial's candidate is sampled from.
    fn known(&self, trial: usize) -> usize {
        (trial - trial % self.seeds).saturating_sub(LAG)
    }

    /// The merit that a trial has to have reached by each measurement. A grid has no limits, so that its curve is complete.
    pub fn limits(&self, trial: usize, results: &Results) -> Vec<f64> {
        let Sampler::Tpe(..) = self.sampler else {
            return Vec::new();
        };
        let known = self.trials[..self.known(trial)].iter().filter_map(|trial| results.get(trial));
        pruner::limits(known, self.metric)
    }
}
