//! What a network's uncertainty is worth.

use super::prediction::Prediction;
use super::scores::area;
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
