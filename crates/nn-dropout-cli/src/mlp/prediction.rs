//! Predictions of a perceptron, and how uncertain they are: Monte Carlo dropout predicts each row again and again with dropout on.
//!
//! Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML 2016.

use anyhow::{Result, anyhow};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::model::Mlp;
use crate::table::{Schema, Target};

/// The default seed of the masks.
pub const SEED: u64 = 42;

/// The prediction for a row.
pub struct Prediction {
    /// The mean probability of each class; or one number, standardised.
    pub outputs: Vec<f64>,
    /// All uncertainty: the entropy of these means, in nats; or the standard deviation of the sampled numbers.
    pub uncertainty: f64,
    /// The entropy less that of the single samples: the uncertainty that more training data would remove.
    pub mutual_information: f64,
}

impl Prediction {
    /// The most probable class.
    pub fn class(&self) -> usize {
        let classes = 0..self.outputs.len();
        classes.rev().max_by(|&a, &b| self.outputs[a].total_cmp(&self.outputs[b])).expect("there are classes")
    }

    /// The prediction for a row, from the outputs of each sample for all rows.
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

/// Predicts encoded rows, each `samples` times. Dropout is on if the device is an autodiff one.
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

/// The entropy in nats.
fn entropy(probabilities: &[f64]) -> f64 {
    probabilities.iter().filter(|&&p| p > 0.0).map(|&p| -p * p.ln()).sum()
}

/// The predictions as CSV, with their uncertainty if there were samples.
pub fn to_csv(target: &Target, predictions: &[Prediction], uncertain: bool) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header: &[&str] = match (target, uncertain) {
        (Target::Classes(_), false) => &["class", "probability"],
        (Target::Classes(_), true) => &["class", "probability", "entropy", "mutual_information"],
        (Target::Numbers(_), false) => &["prediction"],
        (Target::Numbers(_), true) => &["prediction", "deviation"],
    };
    writer.write_record(header)?;
    for prediction in predictions {
        let Prediction { outputs, uncertainty, mutual_information } = prediction;
        let cells = match target {
            Target::Classes(names) => {
                let class = prediction.class();
                let [probability, entropy, information] =
                    [&outputs[class], uncertainty, mutual_information].map(f64::to_string);
                vec![names[class].clone(), probability, entropy, information]
            }
            Target::Numbers(scale) => {
                vec![scale.restore(outputs[0]).to_string(), (scale.unit() * uncertainty).to_string()]
            }
        };
        writer.write_record(&cells[..header.len()])?;
    }
    writer.into_inner().map_err(|error| anyhow!("{error}"))
}
