//! How far a mean over trainings may be off for new rows and new seeds.
//!
//! A score depends on the rows of the validation part and on the seed: the split, the initial weights, the batches. All candidates are
//! measured on the same of both, so the difference of two of them is much better known than each. Its variance is that of a mean over
//! two crossed samples, rows and trainings: Cameron, Gelbach and Miller, "Robust inference with multiway clustering", Journal of
//! Business & Economic Statistics, 2011; Owen, "The pigeonhole bootstrap", Annals of Applied Statistics, 2007. The part of the rows is
//! found by a jackknife over groups of them.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The score of one training, or the difference of two on the same rows and with the same seed.
#[derive(Clone)]
pub struct Sample {
    pub value: f64,
    /// The same with each group of rows left out in turn.
    pub left_out: Vec<f64>,
    /// Which of the groups are there at all. Leaving out one that is not changes nothing.
    pub groups: Vec<bool>,
}

/// A mean over trainings.
#[derive(Clone, Copy)]
pub struct Estimate {
    pub value: f64,
    /// Its standard error, with at least two trainings and enough rows.
    pub error: Option<f64>,
    /// The degrees of freedom of the error.
    freedom: f64,
}

/// How sure an interval is to hold the true value; of several, all of them.
const CONFIDENCE: f64 = 0.95;

impl Estimate {
    pub fn of(samples: &[Sample]) -> Self {
        let count = samples.len() as f64;
        let value = mean(samples.iter().map(|sample| sample.value));
        let trainings =
            samples.iter().map(|sample| (sample.value - value).powi(2)).sum::<f64>() / (count - 1.0) / count;
        let length = samples.iter().map(|sample| sample.left_out.len()).min().unwrap_or(0);
        let means: Vec<f64> =
            (0..length).map(|group| mean(samples.iter().map(|sample| sample.left_out[group]))).collect();
        let there: Vec<bool> =
            (0..length).map(|group| samples.iter().any(|sample| sample.groups.get(group) == Some(&true))).collect();
        let rows = jackknife(&means, &there);
        // What rows and trainings have in common is in both.
        let both =
            samples.iter().map(|sample| jackknife(&sample.left_out, &sample.groups)).sum::<f64>() / count.powi(2);
        let variance = (trainings + rows - both).max(trainings).max(rows);
        // Welch and Satterthwaite's approximation.
        let groups = there.iter().filter(|there| **there).count() as f64;
        let parts = trainings.powi(2) / (count - 1.0) + rows.powi(2) / (groups - 1.0);
        let freedom = if parts > 0.0 { (trainings + rows).powi(2) / parts } else { count - 1.0 };
        let is_known = samples.len() > 1 && groups > 1.0 && (trainings + rows + both).is_finite();
        Self { value, error: is_known.then(|| variance.sqrt()), freedom }
    }

    /// Half the width of its interval, if it is one of this many that shall hold together (Bonferroni's correction).
    pub fn margin(&self, comparisons: usize) -> Option<f64> {
        let tail = (1.0 - CONFIDENCE) / 2.0 / comparisons.max(1) as f64;
        let error = self.error?;
        let student = StudentsT::new(0.0, 1.0, self.freedom).ok()?;
        Some(error * student.inverse_cdf(1.0 - tail))
    }
}

/// The standard error of one network's score, for other rows.
pub fn row_error(left_out: &[f64], groups: &[bool]) -> f64 {
    jackknife(left_out, groups).sqrt()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum / count
}

/// The variance of a statistic, from its values with each of the groups that are there left out in turn.
fn jackknife(values: &[f64], groups: &[bool]) -> f64 {
    let values: Vec<f64> = values.iter().zip(groups).filter(|(_, there)| **there).map(|(value, _)| *value).collect();
    let center = mean(values.iter().copied());
    let count = values.len() as f64;
    if values.is_empty() {
        0.0
    } else {
        values.iter().map(|x| (x - center).powi(2)).sum::<f64>() * (count - 1.0) / count
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::trainer::rng;

    fn estimate(trainings: &[&[f64]]) -> Estimate {
        let sample = |rows: &&[f64]| {
            let without = |out: usize| mean((0..rows.len()).filter(|row| *row != out).map(|row| rows[row]));
            Sample {
                value: mean(rows.iter().copied()),
                left_out: (0..rows.len()).map(without).collect(),
                groups: vec![true; rows.len()],
            }
        };
        Estimate::of(&trainings.iter().map(sample).collect::<Vec<_>>())
    }

    #[test]
    fn both_the_rows_and_the_trainings_count() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        // Equal trainings still have few rows: the error of a mean over 4 of them.
        let rows = [1.0, 0.0, 0.0, 1.0];
        let found = estimate(&[&rows, &rows, &rows]);
        close(found.value, 0.5);
        close(found.error.unwrap(), (1.0_f64 / 3.0 / 4.0).sqrt());
        // Equal rows leave the error of a mean over 2 trainings, with one degree of freedom.
        let found = estimate(&[&[1.0; 4], &[3.0; 4]]);
        close(found.error.unwrap(), 1.0);
        close(found.margin(1).unwrap(), 12.706_204_736_174_7);
        // Bonferroni's correction makes each of several wider.
        assert!(found.margin(8).unwrap() > found.margin(1).unwrap());
        // One training says nothing of others.
        assert!(estimate(&[&rows]).error.is_none());
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let sample = |value, left_out: [f64; 4], groups: [bool; 4]| Sample {
            value,
            left_out: left_out.to_vec(),
            groups: groups.to_vec(),
        };
        // Groups that are not there are not counted.
        let two = |groups| {
            Estimate::of(&[sample(0.5, [0.25, 0.75, 0.5, 0.5], groups), sample(0.5, [0.25, 0.75, 0.5, 0.5], groups)])
        };
        let (all, some) = (two([true; 4]), two([true, true, false, false]));
        assert_eq!(some.error.unwrap(), 0.25);
        assert!(some.margin(1) > all.margin(1));
        // A score that cannot be computed without a group has no error.
        let samples = [1.0, 2.0].map(|value| sample(value, [value, f64::NAN, value, value], [true; 4]));
        assert!(Estimate::of(&samples).error.is_none());
        let samples = [1.0, f64::INFINITY].map(|value| sample(value, [value; 4], [true; 4]));
        assert!(Estimate::of(&samples).error.is_none() && Estimate::of(&samples).margin(1).is_none());
        assert!(two([true, false, false, false]).error.is_none());
    }

    #[test]
    fn independent_rows_and_trainings_have_the_usual_error() {
        // What is common to both is not counted twice.
        let mut random = rng(1, 0);
        let rows: Vec<Vec<f64>> = (0..40).map(|_| (0..40).map(|_| random.random_range(-1.0..1.0)).collect()).collect();
        let found = estimate(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let all: Vec<f64> = rows.concat();
        let center = mean(all.iter().copied());
        let usual = (all.iter().map(|x| (x - center).powi(2)).sum::<f64>() / 1599.0 / 1600.0).sqrt();
        let ratio = found.error.unwrap() / usual;
        assert!((0.8..1.3).contains(&ratio), "{ratio}");
    }
}
