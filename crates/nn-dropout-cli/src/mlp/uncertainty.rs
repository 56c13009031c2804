//! What a network's uncertainty is worth.

use super::prediction::Prediction;
use crate::table::{Part, Targets};

/// Whether wrong predictions are more uncertain than right ones.
pub struct Reliability {
    /// The score of the rows that remain after dropping the most uncertain: the share of right classes, or the root of the mean squared
    /// error of standardised numbers. `(share, score)`, from all rows to few.
    pub kept: Vec<(f64, f64)>,
    /// The score of the more certain half, and that of the others.
    pub halves: [f64; 2],
    /// The share of pairs of a wrong and a right answer in which the wrong one is more uncertain: the area under the ROC curve, by the
    /// entropy and by the mutual information. None if there are no such pairs.
    pub auroc: Option<[f64; 2]>,
}

impl Reliability {
    /// The reliability on rows with known targets.
    pub fn of(predictions: &[Prediction], part: &Part) -> Self {
        // 1 if the row is right, else 0; or its squared error.
        let outcome = |(row, prediction): (usize, &Prediction)| match &part.targets {
            Targets::Classes { numbers, .. } => f64::from(prediction.class() == numbers[row]),
            Targets::Numbers(numbers) | Targets::Dates(numbers) => (prediction.outputs[0] - numbers[row]).powi(2),
        };
        let is_classes = matches!(part.targets, Targets::Classes { .. });
        let outcomes: Vec<f64> = predictions.iter().enumerate().map(outcome).collect();
        let mut order: Vec<usize> = (0..predictions.len()).collect();
        order.sort_by(|&a, &b| predictions[a].uncertainty.total_cmp(&predictions[b].uncertainty));
        let score = |rows: &[usize]| {
            let mean = rows.iter().map(|&row| outcomes[row]).sum::<f64>() / rows.len() as f64;
            if is_classes { mean } else { mean.sqrt() }
        };
        let shares = (1..=50).rev().map(|share| f64::from(share) / 50.0);
        let count = |share: f64| (share * order.len() as f64).round() as usize;
        let kept = shares.filter(|&share| count(share) > 0).map(|share| (share, score(&order[..count(share)])));
        let (certain, others) = order.split_at(order.len() / 2);
        let measures: [fn(&Prediction) -> f64; 2] = [|row| row.uncertainty, |row| row.mutual_information];
        let auroc = measures.map(|measure| {
            let wrong = outcomes.iter().map(|outcome| *outcome == 0.0);
            area(predictions.iter().map(measure).zip(wrong).collect())
        });
        Self {
            kept: kept.collect(),
            halves: [score(certain), score(others)],
            auroc: if let ([Some(entropy), Some(information)], true) = (auroc, is_classes) {
                Some([entropy, information])
            } else {
                None
            },
        }
    }
}

/// The share of pairs in which the wrong one has the higher value; equal values count half.
fn area(mut values: Vec<(f64, bool)>) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut pairs, mut right) = (0.0, 0.0);
    for same in values.chunk_by(|a, b| a.0 == b.0) {
        let wrong_here = same.iter().filter(|(_, wrong)| *wrong).count() as f64;
        let right_here = same.len() as f64 - wrong_here;
        pairs += wrong_here * (right + right_here / 2.0);
        right += right_here;
    }
    let wrong = values.len() as f64 - right;
    (wrong > 0.0 && right > 0.0).then(|| pairs / (wrong * right))
}

#[cfg(test)]
mod tests {
    use super::area;

    #[test]
    fn the_area_is_the_share_of_pairs() {
        // Pairs of a wrong and a right one: 2 above 1 and 0, and equal to 2; 0 equal to 0, and below 1 and 2.
        let values = vec![(1.0, false), (2.0, true), (0.0, false), (2.0, false), (0.0, true)];
        assert_eq!(area(values), Some((1.0 + 1.0 + 0.5 + 0.5) / 6.0));
        assert_eq!(area(vec![(1.0, true), (0.0, false)]), Some(1.0));
        assert_eq!(area(vec![(1.0, true)]), None);
    }
}
