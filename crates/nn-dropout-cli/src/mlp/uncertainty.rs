//! Monte Carlo dropout: what a network predicts with dropout on, again and again, and how much it disagrees with itself.
//!
//! Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML 2016.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::data::{Part, Targets};
use super::model::Mlp;
use super::schema::{Schema, Target};

/// What is predicted for a row.
pub struct Prediction {
    /// The mean probability of each class; or one number, standardised.
    pub outputs: Vec<f64>,
    /// Of classes the entropy of these means, in nats: all uncertainty. Of a number the standard deviation of the samples.
    pub uncertainty: f64,
    /// What is left of the entropy without that of the single samples: what more training data would take away.
    pub mutual_information: f64,
}

impl Prediction {
    /// The most probable class.
    pub fn class(&self) -> usize {
        let classes = 0..self.outputs.len();
        classes.rev().max_by(|&a, &b| self.outputs[a].total_cmp(&self.outputs[b])).expect("there are classes")
    }
}

/// Predicts standardised rows, so often each. On an autodiff device dropout is on, on another it is off.
pub fn sample(model: &Mlp, schema: &Schema, features: &[f32], samples: usize, device: &Device) -> Vec<Prediction> {
    const ROWS: usize = 1024;
    let width = schema.inputs();
    let chunks = features.chunks(ROWS * width).map(|rows| {
        let count = rows.len() / width;
        let x = Tensor::<2>::from_data(TensorData::new(rows.to_vec(), [count, width]), device);
        let samples = (0..samples).map(|_| {
            let outputs = model.forward(x.clone());
            let outputs = if let Target::Classes(_) = schema.target { softmax(outputs, 1) } else { outputs };
            outputs.into_data().iter::<f64>().collect::<Vec<f64>>()
        });
        let samples: Vec<Vec<f64>> = samples.collect();
        (0..count).map(|row| Prediction::of(&samples, row, &schema.target)).collect::<Vec<_>>()
    });
    chunks.flatten().collect()
}

impl Prediction {
    /// Of a row, from each sample's outputs for all rows.
    fn of(samples: &[Vec<f64>], row: usize, target: &Target) -> Self {
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / samples.len() as f64;
        let outputs = target.outputs();
        let of_row = row * outputs..(row + 1) * outputs;
        let means: Vec<f64> = of_row.clone().map(|i| mean(&mut samples.iter().map(|sample| sample[i]))).collect();
        let (uncertainty, mutual_information) = match target {
            Target::Classes(_) => {
                let total = entropy(&means);
                let within = mean(&mut samples.iter().map(|sample| entropy(&sample[of_row.clone()])));
                // Rounding alone could make it negative.
                (total, (total - within).max(0.0))
            }
            Target::Numbers(_) => {
                (mean(&mut samples.iter().map(|sample| (sample[row] - means[0]).powi(2))).sqrt(), 0.0)
            }
        };
        Self { outputs: means, uncertainty, mutual_information }
    }
}

/// In nats.
fn entropy(probabilities: &[f64]) -> f64 {
    probabilities.iter().filter(|&&p| p > 0.0).map(|&p| -p * p.ln()).sum()
}

/// Whether uncertainty tells wrong predictions from right ones.
pub struct Reliability {
    /// The score of the rows, so many of which are left if the most uncertain ones are not: the share of right classes, or the root of
    /// the mean squared error of numbers, standardised. `(share, score)`, from all rows to few.
    pub kept: Vec<(f64, f64)>,
    /// The score of the more certain half, and that of the others.
    pub halves: [f64; 2],
    /// In what share of pairs of a wrong and a right answer the wrong one is the more uncertain: the area under the ROC curve. By the
    /// entropy and by the mutual information; none if there are no such pairs.
    pub auroc: Option<[f64; 2]>,
}

impl Reliability {
    /// On rows whose targets are known.
    pub fn of(predictions: &[Prediction], part: &Part) -> Self {
        // What makes the score of a row: 1 if it is right, or the squared error.
        let outcome = |(row, prediction): (usize, &Prediction)| match &part.targets {
            Targets::Classes { numbers, .. } => f64::from(prediction.class() == numbers[row]),
            Targets::Numbers(numbers) => (prediction.outputs[0] - f64::from(numbers[row])).powi(2),
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

/// The share of pairs of which the wrong one has the higher value; equal ones count half.
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
