//! When to stop a hopeless trial early: the median stopping rule, Golovin et al., "Google Vizier: a service for black-box
//! optimization", KDD 2017.

use super::trial::{State, TrialResult};
use crate::metric::Metric;

/// The complete trials that are needed before others are stopped.
const STARTUP: usize = 6;

/// The merit that a trial has to have reached by each measurement in order to continue: the median of the running averages of
/// the complete trials among `known`. The first third of a training has no limit.
pub fn limits<'a>(known: impl Iterator<Item = &'a TrialResult>, metric: Metric) -> Vec<f64> {
    let complete: Vec<&TrialResult> = known.filter(|result| result.state == State::Complete).collect();
    if complete.len() < STARTUP {
        return Vec::new();
    }
    let averages = complete.iter().map(|result| {
        let mut sum = 0.0;
        let merits = result.history.iter().map(|metrics| metric.merit(metrics.validation.metric));
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}
