//! Predictions of a perceptron, and how uncertain they are: Monte Carlo dropout predicts all rows again and again, each time with
//! another sub-network.
//!
//! Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML 2016.

use std::num::NonZeroUsize;

use anyhow::Result;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use nn_dropout::{Config, Generator, Mode, MonteCarlo, Schedule};

use super::model::{Mlp, dropout};
use crate::table::{Kind, Schema, Target, Value};

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

    /// The predictions for all rows, from the outputs of all samples.
    fn of(statistics: &MonteCarlo, target: &Target) -> Vec<Self> {
        let outputs = statistics.mean().chunks(target.outputs()).map(<[f64]>::to_vec);
        let (uncertainty, information) = match target {
            Target::Classes(_) => (statistics.entropy(), statistics.mutual_information()),
            Target::Numbers(_) | Target::Dates(..) => (statistics.deviation(), vec![0.0; outputs.len()]),
        };
        let rows = outputs.zip(uncertainty).zip(information);
        rows.map(|((outputs, uncertainty), mutual_information)| Self { outputs, uncertainty, mutual_information })
            .collect()
    }
}

/// The rows that are predicted at once. They are always as many, since the last digits of a matrix product depend on its size: so
/// what is predicted for a row depends on no other row.
pub const ROWS: usize = 256;

/// A trained network that predicts rows.
pub struct Predictor {
    model: Mlp,
    /// Where the masks of samples come from.
    generator: Generator,
    seed: u64,
    samples: usize,
}

impl Predictor {
    /// Predicts each row once, with dropout off. The model is in eval mode.
    pub fn once(model: Mlp) -> Self {
        Self { model, generator: Generator::philox(SEED), seed: SEED, samples: 1 }
    }

    /// Predicts each row so many times with all the dropout of the training, by masks from a seed.
    pub fn sampling(model: Mlp, config: &Config, samples: NonZeroUsize, seed: u64) -> Self {
        let generator = Generator::philox(seed);
        let config = config.clone().with_schedule(Schedule::Constant);
        let model = model.with_dropout(|| dropout(&config, &generator).with_mode(Mode::MonteCarlo));
        Self { model, generator, seed, samples: samples.get() }
    }

    /// Predicts encoded rows. Sample number s is one sub-network for all of them.
    pub fn predict(&self, schema: &Schema, features: &[f32]) -> Result<Vec<Prediction>> {
        let width = schema.inputs();
        let mut predictions = Vec::with_capacity(features.len() / width);
        for rows in features.chunks(ROWS * width) {
            let mut padded = rows.to_vec();
            padded.resize(ROWS * width, 0.0);
            let x = Tensor::<2>::from_data(TensorData::new(padded, [ROWS, width]), &Device::flex());
            let mut statistics = MonteCarlo::new(schema.target.outputs());
            self.generator.manual_seed(self.seed);
            for _sample in 0..self.samples {
                let outputs = self.model.forward(x.clone());
                let outputs = if let Target::Classes(_) = schema.target { softmax(outputs, 1) } else { outputs };
                let outputs: Vec<f32> = outputs.into_data().iter().collect();
                statistics.add(&outputs[..rows.len() / width * schema.target.outputs()])?;
            }
            predictions.extend(Prediction::of(&statistics, &schema.target));
        }
        Ok(predictions)
    }
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
