//! Which trials a sweep consists of, and which of them are not worth going on with.
//!
//! All of it depends on the results of earlier trials only, never on how many run side by side or when they end.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, anyhow};
use nn_dropout::Probability;
use serde::{Deserialize, Serialize};

use super::study::{Record, Results, State};
use crate::numbers::{LearningRate, Range};
use crate::training::{Metric, rng};

/// What is looked for.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Candidate {
    pub dropout: Probability,
    /// The size of every hidden layer, where that is looked for too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hidden: Option<NonZeroUsize>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning_rate: Option<LearningRate>,
}

/// One training.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Trial {
    #[serde(flatten)]
    pub candidate: Candidate,
    pub seed: u64,
}

impl Trial {
    /// What tells it from other trials, as JSON.
    pub fn key(&self) -> String {
        serde_json::to_string(self).expect("numbers can be written as JSON")
    }
}

/// How candidates are found.
pub enum Search {
    /// Every rate.
    Grid(Vec<Probability>),
    /// A tree-structured Parzen estimator for each number that is looked for: Bergstra, Bardenet, Bengio and Kegl, "Algorithms for
    /// hyper-parameter optimization", NeurIPS 2011.
    Tpe(Space, usize),
}

/// Where a search looks, and for how many trials.
pub struct Space {
    pub rates: Range,
    pub hidden: Option<Range>,
    pub learning_rate: Option<Range>,
}

/// All trials that are known by now, in their order.
pub struct Plan {
    pub search: Search,
    pub seed: u64,
    pub seeds: usize,
    pub metric: Metric,
    pub trials: Vec<Trial>,
}

/// A candidate of a search knows all results but the last so many before it. So many trials can therefore run side by side, and
/// what comes of the search is the same however many do.
const LAG: usize = 8;
/// How many trials have to be complete before others are stopped.
const STARTUP: usize = 6;

impl Plan {
    /// How many trials there will be.
    pub fn len(&self) -> usize {
        match &self.search {
            Search::Grid(rates) => rates.len() * self.seeds,
            Search::Tpe(_, trials) => *trials,
        }
    }

    /// The trials that have ended, in their order.
    pub fn ended<'a>(&self, results: &'a Results) -> Vec<&'a Record> {
        self.trials.iter().filter_map(|trial| results.get(trial)).collect()
    }

    /// Adds the trials that follow from these results.
    pub fn extend(&mut self, results: &Results) -> Result<()> {
        match &self.search {
            Search::Grid(rates) if self.trials.is_empty() => {
                // Seed by seed: a sweep that is cut short has seen all rates.
                let seeds = (0..self.seeds as u64).map(|n| self.seed.wrapping_add(n));
                let candidate = |&dropout| Candidate { dropout, hidden: None, learning_rate: None };
                let trials =
                    seeds.flat_map(|seed| rates.iter().map(candidate).map(move |candidate| Trial { candidate, seed }));
                self.trials = trials.collect();
            }
            Search::Grid(_) => {}
            Search::Tpe(space, count) => {
                while self.trials.len() < *count {
                    let known = &self.trials[..self.known(self.trials.len())];
                    let Some(told) = known.iter().map(|trial| results.get(trial)).collect::<Option<Vec<_>>>() else {
                        break;
                    };
                    let candidate = space.ask(&told, self.metric, self.seed, self.trials.len() as u64)?;
                    // The same candidate once more gets other seeds.
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

    /// How many trials a trial's candidate knows the results of.
    fn known(&self, trial: usize) -> usize {
        (trial - trial % self.seeds).saturating_sub(LAG)
    }

    /// The merit that a trial has to have reached by each measurement if it is to go on; none in a grid, whose curve is to be whole.
    ///
    /// The median stopping rule: Golovin et al., "Google Vizier: a service for black-box optimization", KDD 2017. The median is that
    /// of the running averages of the complete trials that are known. The first third of a training is left alone.
    pub fn limits(&self, trial: usize, results: &Results) -> Vec<f64> {
        let Search::Tpe(..) = self.search else {
            return Vec::new();
        };
        let known = self.trials[..self.known(trial)].iter().filter_map(|trial| results.get(trial));
        let complete: Vec<&Record> = known.filter(|record| record.state == State::Complete).collect();
        if complete.len() < STARTUP {
            return Vec::new();
        }
        let averages = complete.iter().map(|record| {
            let mut sum = 0.0;
            let merits = record.history.iter().map(|metrics| self.metric.merit(metrics.validation.metric));
            merits
                .enumerate()
                .map(|(i, merit)| {
                    sum += merit;
                    sum / (i + 1) as f64
                })
                .collect::<Vec<_>>()
        });
        let averages: Vec<Vec<f64>> = averages.collect();
        let measurements = averages.iter().map(Vec::len).min().unwrap_or(0);
        let limit = |i| {
            if i < measurements / 3 { f64::NEG_INFINITY } else { median(averages.iter().map(|of| of[i]).collect()) }
        };
        (0..measurements).map(limit).collect()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}

impl Space {
    /// The next candidate. Each number has its own estimator, random numbers and past.
    fn ask(&self, told: &[&Record], metric: Metric, seed: u64, number: u64) -> Result<Candidate> {
        let mut random = rng(seed, TPE_STREAMS + number);
        let losses = told.chunk_by(|a, b| a.trial.candidate == b.trial.candidate).map(|same| {
            let loss = same.iter().map(|record| -metric.merit(record.last().validation.metric)).sum::<f64>()
                / same.len() as f64;
            (&same[0].trial.candidate, if loss.is_nan() { f64::INFINITY } else { loss })
        });
        let losses: Vec<(&Candidate, f64)> = losses.collect();
        let mut ask = |range: &Range, scale: Scale, value: fn(&Candidate) -> Option<f64>| {
            let [low, high] = [range.low, range.high].map(|end| scale.forward(end));
            let mut optimizer = tpe::TpeOptimizer::new(
                tpe::parzen_estimator(),
                tpe::range(low, high).map_err(|error| anyhow!("{error}"))?,
            );
            for (candidate, loss) in &losses {
                let value = value(candidate).context("a candidate of this search has a value")?;
                // What rounding has made of an end belongs to the range, which does not include its upper end.
                optimizer.tell(scale.forward(value).clamp(low, high.next_down()), *loss)?;
            }
            let value = scale.backward(optimizer.ask(&mut random)?);
            Ok::<f64, anyhow::Error>(value.clamp(range.low, range.high))
        };
        // Without dropout, or with as little as may be, is what others are compared with.
        let dropout = ask(&self.rates, Scale::Linear, |candidate| Some(candidate.dropout.get()))?;
        let dropout = if number == 0 { self.rates.low } else { (100.0 * dropout).round() / 100.0 };
        let hidden = self
            .hidden
            .as_ref()
            .map(|range| ask(range, Scale::Logarithmic, |candidate| candidate.hidden.map(|size| size.get() as f64)));
        let learning_rate = self.learning_rate.as_ref();
        let learning_rate = learning_rate
            .map(|range| ask(range, Scale::Logarithmic, |candidate| candidate.learning_rate.map(LearningRate::get)));
        Ok(Candidate {
            dropout: Probability::new(dropout.clamp(self.rates.low, self.rates.high))?,
            hidden: hidden.transpose()?.and_then(|size| NonZeroUsize::new(size.round() as usize)),
            learning_rate: learning_rate.transpose()?.map(two_digits).transpose()?,
        })
    }
}

/// The first of the streams of random numbers of a search.
const TPE_STREAMS: u64 = 1 << 32;

/// A learning rate that can be read.
fn two_digits(rate: f64) -> Result<LearningRate> {
    LearningRate::try_from(format!("{rate:.1e}").parse::<f64>()?).map_err(|error| anyhow!(error))
}

/// How a number is looked at.
#[derive(Clone, Copy)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Scale {
    fn forward(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.ln(),
        }
    }

    fn backward(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.exp(),
        }
    }
}
