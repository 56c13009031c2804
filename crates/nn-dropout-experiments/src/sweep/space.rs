//! The numbers that are searched, each at random or by a tree-structured Parzen estimator of its own: Bergstra, Bardenet, Bengio and
//! Kegl, "Algorithms for hyper-parameter optimization", NeurIPS 2011.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, anyhow};
use nn_dropout::{Config, Kind};
use rand::RngExt;

use super::sampler::Strategy;
use super::trial::{Candidate, TrialResult};
use crate::metric::Metric;
use crate::settings::numbers::{LearningRate, Range};
use crate::trainer::rng;

/// The ranges to search.
pub struct Space {
    /// The layer, with any amount of noise.
    pub dropout: Config,
    pub rates: Range,
    /// The rates of dropout of the features, if they are searched apart.
    pub input_rates: Option<Range>,
    pub hidden: Option<Range>,
    pub learning_rate: Option<Range>,
}

impl Space {
    /// Dropout of the features with one of their rates, if they are searched.
    pub fn input(&self, rate: impl FnOnce(&Range) -> f64) -> Result<Option<Config>> {
        self.input_rates.as_ref().map(|rates| Ok(Config::new(Kind::Dropout, rate(rates))?)).transpose()
    }

    /// The next candidate.
    pub fn ask(
        &self,
        strategy: Strategy,
        told: &[&TrialResult],
        metric: Metric,
        seed: u64,
        number: u64,
    ) -> Result<Candidate> {
        let mut random = rng(seed, STREAMS + number);
        let losses = told.chunk_by(|a, b| a.trial.candidate == b.trial.candidate).map(|same| {
            let loss = same.iter().map(|result| -metric.merit(result.last().validation.metric)).sum::<f64>()
                / same.len() as f64;
            (&same[0].trial.candidate, if loss.is_nan() { f64::INFINITY } else { loss })
        });
        let losses: Vec<(&Candidate, f64)> = losses.collect();
        let mut ask = |range: &Range, scale: Scale, value: fn(&Candidate) -> Option<f64>| {
            let [low, high] = [range.low, range.high].map(|end| scale.forward(end));
            if strategy == Strategy::Asha {
                return Ok(scale.backward(random.random_range(low..high)).clamp(range.low, range.high));
            }
            let mut optimizer = tpe::TpeOptimizer::new(
                tpe::parzen_estimator(),
                tpe::range(low, high).map_err(|error| anyhow!("{error}"))?,
            );
            for (candidate, loss) in &losses {
                let value = value(candidate).context("a candidate of this search has a value")?;
                // A rounded value can lie outside the range, which does not include its upper end.
                optimizer.tell(scale.forward(value).clamp(low, high.next_down()), *loss)?;
            }
            let value = scale.backward(optimizer.ask(&mut random)?);
            Ok::<f64, anyhow::Error>(value.clamp(range.low, range.high))
        };
        // Others are compared with the first: no dropout, or the least.
        let dropout = ask(&self.rates, Scale::Linear, |candidate| Some(candidate.dropout.amount()))?;
        let rounded = |rate: f64, range: &Range| {
            let rate = if number == 0 { range.low } else { (100.0 * rate).round() / 100.0 };
            rate.clamp(range.low, range.high)
        };
        let dropout = rounded(dropout, &self.rates);
        let input = self.input_rates.as_ref().map(|range| {
            let rate = ask(range, Scale::Linear, |candidate| candidate.input_dropout.as_ref().map(Config::amount));
            rate.map(|rate| rounded(rate, range))
        });
        let input = input.transpose()?;
        let hidden = self
            .hidden
            .as_ref()
            .map(|range| ask(range, Scale::Logarithmic, |candidate| candidate.hidden.map(|size| size.get() as f64)));
        let learning_rate = self.learning_rate.as_ref();
        let learning_rate = learning_rate
            .map(|range| ask(range, Scale::Logarithmic, |candidate| candidate.learning_rate.map(LearningRate::get)));
        Ok(Candidate {
            dropout: self.dropout.clone().with_amount(dropout)?,
            input_dropout: self.input(|_| input.unwrap_or_default())?,
            hidden: hidden.transpose()?.and_then(|size| NonZeroUsize::new(size.round() as usize)),
            learning_rate: learning_rate.transpose()?.map(two_digits).transpose()?,
        })
    }
}

/// The stream of the seed that the first candidate is drawn from. Each candidate has its own.
const STREAMS: u64 = 1 << 32;

/// A learning rate that is easy to read.
fn two_digits(rate: f64) -> Result<LearningRate> {
    LearningRate::try_from(format!("{rate:.1e}").parse::<f64>()?).map_err(|error| anyhow!(error))
}

/// The scale on which a number is searched.
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
