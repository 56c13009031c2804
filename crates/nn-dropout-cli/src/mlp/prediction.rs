//! Predictions of a perceptron, and how uncertain they are: Monte Carlo dropout predicts each row again and again with dropout on.
//!
//! Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML 2016.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::model::Mlp;
use crate::table::{Kind, Schema, Target, Value};

/// The default seed of the masks.
pub const SEED: u64 = 42;

/// More than the rounding of a mean of entropies.
const ROUNDING: f64 = 1e-12;

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
                // Equal samples share no information; rounding alone would leave a trace of it.
                let information = total - within;
                (total, if information > ROUNDING { information } else { 0.0 })
            }
            Target::Numbers(_) | Target::Dates(..) => {
                (mean(&mut samples.iter().map(|sample| (sample[row] - means[0]).powi(2))).sqrt(), 0.0)
            }
        };
        Self { outputs: means, uncertainty, mutual_information }
    }
}

/// The rows that are predicted at once.
pub const ROWS: usize = 1024;

/// Predicts encoded rows, each `samples` times. Dropout is on if the device is an autodiff one.
pub fn sample(model: &Mlp, schema: &Schema, features: &[f32], samples: usize, device: &Device) -> Vec<Prediction> {
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

/// The number that is written like this, and in no other way.
fn whole(name: &str) -> Option<i64> {
    name.parse().ok().filter(|number: &i64| number.to_string() == name)
}

/// Which columns a table of predictions has.
#[derive(Clone, Copy)]
pub struct Columns {
    /// The uncertainty of sampled predictions.
    uncertain: bool,
    /// The probability of each class.
    probabilities: bool,
    /// The classes are whole numbers.
    are_whole: bool,
}

impl Columns {
    pub fn of(target: &Target, uncertain: bool, probabilities: bool) -> Self {
        let are_whole = matches!(target, Target::Classes(names) if names.iter().all(|name| whole(name).is_some()));
        Self { uncertain, probabilities, are_whole }
    }

    /// The names of the columns, and what they hold.
    pub fn header(self, target: &Target) -> Vec<(String, Kind)> {
        let number = |name: &str| (name.to_owned(), Kind::Number);
        let (prediction, uncertainty): (_, &[&str]) = match target {
            Target::Classes(_) => {
                let kind = if self.are_whole { Kind::Whole } else { Kind::Text };
                (vec![("class".to_owned(), kind), number("probability")], &["entropy", "mutual_information"])
            }
            Target::Numbers(_) => (vec![number("prediction")], &["deviation"]),
            Target::Dates(_, time) => {
                let kind = if *time { Kind::Time } else { Kind::Date };
                (vec![("prediction".to_owned(), kind)], &["deviation"])
            }
        };
        let mut header = prediction;
        if self.uncertain {
            header.extend(uncertainty.iter().map(|name| number(name)));
        }
        if let (Target::Classes(names), true) = (target, self.probabilities) {
            header.extend(names.iter().map(|name| number(&format!("probability_{name}"))));
        }
        header
    }

    /// The values of a row, one for each column.
    pub fn values<'a>(self, target: &'a Target, prediction: &Prediction) -> Vec<Value<'a>> {
        let Prediction { outputs, uncertainty, mutual_information } = prediction;
        let (mut values, uncertainty) = match target {
            Target::Classes(names) => {
                let class = prediction.class();
                let name = match whole(&names[class]).filter(|_| self.are_whole) {
                    Some(number) => Value::Whole(number),
                    None => Value::Text(names[class].as_str().into()),
                };
                (vec![name, Value::Number(outputs[class])], vec![*uncertainty, *mutual_information])
            }
            Target::Numbers(scale) => {
                (vec![Value::Number(scale.restore(outputs[0]))], vec![scale.unit() * uncertainty])
            }
            Target::Dates(scale, time) => {
                let days = scale.restore(outputs[0]);
                let date = if *time {
                    Value::Time((days * 86_400.0).round() as i64 * 1_000_000)
                } else {
                    Value::Date(days.round() as i32)
                };
                (vec![date], vec![scale.unit() * uncertainty])
            }
        };
        if self.uncertain {
            values.extend(uncertainty.into_iter().map(Value::Number));
        }
        if let (Target::Classes(_), true) = (target, self.probabilities) {
            values.extend(outputs.iter().copied().map(Value::Number));
        }
        values
    }
}
