//! When to stop a hopeless trial early, by two published rules.

use super::trial::{State, TrialResult};
use crate::metric::{Metric, Metrics};

/// The complete trials that are needed before the median stops others.
const STARTUP: usize = 6;

/// Successive halving keeps one of this many.
const REDUCTION: usize = 3;

/// The merits that a trial has to have at a rung in order to continue: at the measurements `length` / 3, / 9 and so on it has to be among
/// the best third of the known trials that got there. Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar, "A system
/// for massively parallel hyperparameter tuning", MLSys 2020, which decides by those that happen to have arrived; here it is by those
/// that come before in the study, so that a study does not depend on time.
pub fn halving<'a>(known: &(impl Iterator<Item = &'a TrialResult> + Clone), length: usize, metric: Metric) -> Vec<f64> {
    let mut limits = vec![f64::NEG_INFINITY; length];
    let rungs =
        std::iter::successors(Some(length / REDUCTION), |rung| Some(rung / REDUCTION)).take_while(|rung| *rung > 0);
    for rung in rungs {
        let arrived = known.clone().filter_map(|result| result.history.get(rung - 1));
        let mut merits: Vec<f64> = arrived.map(|metrics| merit(metrics, metric)).collect();
        merits.sort_by(|a, b| b.total_cmp(a));
        if let Some(last) = (merits.len() / REDUCTION).checked_sub(1) {
            limits[rung - 1] = merits[last];
        }
    }
    limits
}

/// The merit that a trial has to have reached by each measurement in order to continue: the median of the running averages of
/// the complete trials among `known`. The first third of a training has no limit. Golovin, Solnik, Moitra, Kochanski, Karro and
/// Sculley, "Google Vizier: a service for black-box optimization", KDD 2017.
pub fn medians<'a>(known: impl Iterator<Item = &'a TrialResult>, metric: Metric) -> Vec<f64> {
    let complete: Vec<&TrialResult> = known.filter(|result| result.state == State::Complete).collect();
    if complete.len() < STARTUP {
        return Vec::new();
    }
    let averages = complete.iter().map(|result| {
        let mut sum = 0.0;
        let merits = result.history.iter().map(|metrics| merit(metrics, metric));
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
    let limit =
        |i| if i < measurements / 3 { f64::NEG_INFINITY } else { median(averages.iter().map(|of| of[i]).collect()) };
    (0..measurements).map(limit).collect()
}

/// The merit on the validation part. That of a network that has diverged is the lowest.
fn merit(metrics: &Metrics, metric: Metric) -> f64 {
    let merit = metric.merit(metrics.validation.metric);
    if merit.is_nan() { f64::NEG_INFINITY } else { merit }
}

/// Whether the best merit so far is below the limit now.
pub fn is_hopeless(history: &[Metrics], limits: &[f64], metric: Metric) -> bool {
    let merits = history.iter().map(|metrics| merit(metrics, metric));
    let best = merits.fold(f64::NEG_INFINITY, f64::max);
    limits.get(history.len() - 1).is_some_and(|limit| best < *limit)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}
