//! The scores of a perceptron's outputs.

use crate::metric::{Metric, Score, Scores};
use crate::table::Targets;

/// What a model says of all rows of a part, in eval mode.
pub struct Outputs<'a> {
    /// Row by row: logits of classes, or one standardised number.
    values: Vec<f32>,
    width: usize,
    targets: &'a Targets,
    /// What a standardised 1 is in the unit of the target.
    unit: f64,
}

/// The bins of the calibration error.
const BINS: usize = 15;

impl<'a> Outputs<'a> {
    pub fn new(values: Vec<f32>, width: usize, targets: &'a Targets, unit: f64) -> Self {
        Self { values, width, targets, unit }
    }

    /// The loss, and one metric.
    pub fn score(&self, metric: Metric) -> Score {
        let loss = self.metric(if let Targets::Classes { .. } = self.targets { Metric::LogLoss } else { Metric::Rmse });
        Score {
            loss,
            metric: if metric == Metric::LogLoss || metric == Metric::Rmse { loss } else { self.metric(metric) },
        }
    }

    /// A metric with each of this many groups of rows left out in turn, for a jackknife. `group` says which a row of the part is in.
    pub fn left_out(&self, metric: Metric, groups: usize, group: impl Fn(usize) -> usize) -> Vec<f64> {
        let without = |left_out: usize| {
            let keep: Vec<bool> = (0..self.targets.len()).map(|row| group(row) != left_out).collect();
            let rows = self.rows().zip(&keep).filter(|(_, keep)| **keep);
            let values = rows.flat_map(|(row, _)| row.iter().copied()).collect();
            let targets = self.targets.filtered(&keep);
            Outputs::new(values, self.width, &targets, self.unit).metric(metric)
        };
        (0..groups).map(without).collect()
    }

    /// All metrics of the target's kind.
    pub fn scores(&self) -> Scores {
        let metrics: &[Metric] =
            if let Targets::Classes { .. } = self.targets { &Metric::OF_CLASSES } else { &Metric::OF_NUMBERS };
        metrics.iter().map(|&metric| (metric, self.metric(metric))).collect()
    }

    fn metric(&self, metric: Metric) -> f64 {
        if !self.values.iter().all(|value| value.is_finite()) {
            return f64::NAN;
        }
        match self.targets {
            Targets::Classes { numbers, .. } => match metric {
                Metric::BalancedAccuracy => {
                    self.over_classes(numbers, |[hits, targets, _]| (targets > 0.0).then(|| hits / targets))
                }
                Metric::MacroF1 => self.over_classes(numbers, |[hits, targets, guesses]| {
                    (targets + guesses > 0.0).then(|| 2.0 * hits / (targets + guesses))
                }),
                Metric::RocAuc => {
                    let probabilities = self.probabilities();
                    // Of two classes, one says all.
                    let classes = if self.width == 2 { 1..2 } else { 0..self.width };
                    let area_of = |class| {
                        let values = probabilities.iter().skip(class).step_by(self.width).copied();
                        area(values.zip(numbers.iter().map(|number| *number == class)).collect())
                    };
                    mean(classes.filter_map(area_of))
                }
                Metric::LogLoss => {
                    mean(self.rows().zip(numbers).map(|(logits, &class)| log_sum(logits) - f64::from(logits[class])))
                }
                Metric::CalibrationError => self.calibration_error(numbers),
                _ => mean(self.guesses().zip(numbers).map(|(guess, number)| f64::from(u8::from(guess == *number)))),
            },
            Targets::Numbers(numbers) | Targets::Dates(numbers) => {
                let errors = || self.values.iter().zip(numbers).map(|(value, number)| f64::from(*value) - number);
                let squares = mean(errors().map(|error| error.powi(2)));
                match metric {
                    Metric::Rmse => self.unit * squares.sqrt(),
                    Metric::Mae => self.unit * mean(errors().map(f64::abs)),
                    _ => {
                        let center = mean(numbers.iter().copied());
                        1.0 - squares / mean(numbers.iter().map(|number| (number - center).powi(2)))
                    }
                }
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.width)
    }

    /// The most probable class of each row, the first of equal ones.
    fn guesses(&self) -> impl Iterator<Item = usize> {
        self.rows().map(|logits| (1..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best }))
    }

    fn probabilities(&self) -> Vec<f64> {
        let of_row = |logits: &[f32]| {
            let sum = log_sum(logits);
            logits.iter().map(|logit| (f64::from(*logit) - sum).exp()).collect::<Vec<_>>()
        };
        self.rows().flat_map(of_row).collect()
    }

    /// The mean of a number over the classes that have one, from how many rows were found, are there, and were guessed.
    fn over_classes(&self, numbers: &[usize], of: impl Fn([f64; 3]) -> Option<f64>) -> f64 {
        let mut counts = vec![[0.0; 3]; self.width];
        for (guess, &number) in self.guesses().zip(numbers) {
            counts[number][0] += f64::from(u8::from(guess == number));
            counts[number][1] += 1.0;
            counts[guess][2] += 1.0;
        }
        mean(counts.into_iter().filter_map(of))
    }

    /// How far the probability of the guesses is from the share of them that are right.
    fn calibration_error(&self, numbers: &[usize]) -> f64 {
        let probabilities = self.probabilities();
        let mut bins = [0.0; BINS];
        for (row, (guess, number)) in self.guesses().zip(numbers).enumerate() {
            let confidence = probabilities[row * self.width + guess];
            let bin = (confidence * BINS as f64).ceil().clamp(1.0, BINS as f64) as usize - 1;
            bins[bin] += f64::from(u8::from(guess == *number)) - confidence;
        }
        bins.iter().map(|difference| difference.abs()).sum::<f64>() / numbers.len() as f64
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum / count
}

fn log_sum(logits: &[f32]) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    largest + logits.iter().map(|logit| (f64::from(*logit) - largest).exp()).sum::<f64>().ln()
}

/// The area under the ROC curve: the share of pairs in which the positive one has the higher value; equal values count half. None if
/// there are no pairs.
pub fn area(mut values: Vec<(f64, bool)>) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut pairs, mut negative) = (0.0, 0.0);
    for same in values.chunk_by(|a, b| a.0 == b.0) {
        let positive_here = same.iter().filter(|(_, positive)| *positive).count() as f64;
        let negative_here = same.len() as f64 - positive_here;
        pairs += positive_here * (negative + negative_here / 2.0);
        negative += negative_here;
    }
    let positive = values.len() as f64 - negative;
    (positive > 0.0 && negative > 0.0).then(|| pairs / (positive * negative))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    /// A case of `make_scores.py`.
    #[derive(Deserialize)]
    struct Case {
        outputs: Vec<Vec<f32>>,
        classes: Option<Vec<usize>>,
        numbers: Option<Vec<f64>>,
        #[serde(default)]
        unit: f64,
        scores: HashMap<String, f64>,
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/scores.json")).unwrap();
        let mut compared = 0;
        for Case { outputs, classes, numbers, unit, scores: expected } in cases {
            let width = outputs[0].len();
            let targets = match (classes, numbers) {
                (Some(numbers), _) => Targets::Classes { numbers, names: vec![String::new(); width] },
                (None, numbers) => Targets::Numbers(numbers.unwrap()),
            };
            let outputs = Outputs::new(outputs.concat(), width, &targets, unit);
            for (metric, value) in outputs.scores() {
                let name = serde_json::to_value(metric).unwrap();
                let expected = expected[name.as_str().unwrap()];
                assert!((value - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{name}: {value}, not {expected}");
                assert_eq!(outputs.score(metric).metric.to_bits(), value.to_bits());
                compared += 1;
            }
        }
        assert_eq!(compared, 2 * 6 + 3);
    }

    #[test]
    fn outputs_that_are_no_numbers_have_scores_that_are_none() {
        let targets = Targets::Classes { numbers: vec![0, 1, 1], names: vec![String::new(); 2] };
        let scores = Outputs::new(vec![f32::NAN; 6], 2, &targets, 1.0).scores();
        assert!(scores.iter().all(|(_, value)| value.is_nan()));
        let targets = Targets::Numbers(vec![1.0, 2.0]);
        let scores = Outputs::new(vec![f32::NAN, f32::INFINITY], 1, &targets, 1.0).scores();
        assert!(scores.iter().all(|(_, value)| value.is_nan()));
    }

    #[test]
    fn a_group_can_be_left_out() {
        let targets = Targets::Classes { numbers: vec![0, 1, 1, 0], names: vec![String::new(); 2] };
        let outputs = Outputs::new(vec![2.0, 1.0, 2.0, 1.0, 0.0, 1.0, 0.0, 1.0], 2, &targets, 1.0);
        // Right, wrong, right, wrong.
        let left_out = outputs.left_out(Metric::Accuracy, 3, |row| row / 2);
        assert_eq!(left_out, [0.5, 0.5, 0.5]);
        assert_eq!(outputs.left_out(Metric::Accuracy, 2, |row| row % 2), [0.0, 1.0]);
    }

    #[test]
    fn the_area_is_the_share_of_pairs() {
        // Pairs of a positive and a negative one: 2 above 1 and 0, and equal to 2; 0 equal to 0, and below 1 and 2.
        let values = vec![(1.0, false), (2.0, true), (0.0, false), (2.0, false), (0.0, true)];
        assert_eq!(area(values), Some((1.0 + 1.0 + 0.5 + 0.5) / 6.0));
        assert_eq!(area(vec![(1.0, true), (0.0, false)]), Some(1.0));
        assert_eq!(area(vec![(1.0, true)]), None);
    }
}
