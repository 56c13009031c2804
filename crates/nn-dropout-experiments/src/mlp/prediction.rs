//! Predictions of a perceptron, and how uncertain they are: Monte Carlo dropout predicts each row again and again with dropout on.
//!
//! Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML 2016.

use std::num::NonZeroUsize;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use nn_dropout::{Config, Generator, Mode, MonteCarlo, Schedule};

use super::model::{Mlp, layer};
use crate::settings::MlpSettings;
use crate::table::{Kind, Schema, Target, Value};

/// The default seed of the masks.
pub const SEED: u64 = 42;

/// The prediction for a row.
pub struct Prediction {
    /// The mean probability of each class; or one number, standardised.
    pub outputs: Vec<f64>,
    /// The standard deviation of each over the samples.
    pub deviations: Vec<f64>,
    /// All uncertainty: the entropy of the means, in nats; or the standard deviation of the sampled numbers.
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
}

/// A perceptron that predicts rows: several times each, with dropout on, or once without.
///
/// A sample is one sub-network, the same for all rows. So what is predicted for a row does not depend on the others, nor on
/// their order.
///
/// Kirsch, van Amersfoort and Gal, "BatchBALD: efficient and diverse batch acquisition for deep Bayesian active learning",
/// NeurIPS 2019.
pub struct Predictor {
    model: Mlp,
    generator: Generator,
    seed: u64,
    samples: Option<NonZeroUsize>,
}

/// The number of rows that a network is given at once, filled up with zeros: a matrix product may round otherwise for another
/// number of rows.
const ROWS: usize = 256;

impl Predictor {
    /// The model, on a device without autodiff, with masks from a seed. They have all the noise of the settings, whatever its
    /// schedule.
    pub fn new(model: Mlp, settings: &MlpSettings, samples: Option<NonZeroUsize>, seed: u64) -> Self {
        let generator = Generator::philox(seed);
        let mode = if samples.is_some() { Mode::MonteCarlo } else { Mode::Eval };
        // No backward pass will follow, so nothing has to be kept for one.
        let layer =
            |config: &Config| layer(&config.clone().with_schedule(Schedule::Constant), &generator).with_mode(mode);
        let model = model.with_dropout(|| layer(&settings.dropout));
        let model = match &settings.input_dropout {
            Some(config) => model.with_input_dropout(layer(config)),
            None => model,
        };
        let model = model.no_grad();
        Self { model, generator, seed, samples }
    }

    /// Predicts encoded rows.
    pub fn predict(&self, schema: &Schema, features: &[f32]) -> Vec<Prediction> {
        let (inputs, outputs) = (schema.inputs(), schema.target.outputs());
        let predict = |rows: &[f32]| {
            let mut filled = rows.to_vec();
            filled.resize(ROWS * inputs, 0.0);
            let x = Tensor::<2>::from_data(TensorData::new(filled, [ROWS, inputs]), &Device::flex());
            // Sample number s is step s of each layer, for these rows as for all others.
            self.generator.manual_seed(self.seed);
            let mut statistics = MonteCarlo::new(outputs);
            for _ in 0..self.samples.map_or(1, NonZeroUsize::get) {
                let sample = self.model.forward(x.clone());
                let sample = if let Target::Classes(_) = schema.target { softmax(sample, 1) } else { sample };
                let sample: Vec<f32> = sample.into_data().iter().take(rows.len() / inputs * outputs).collect();
                statistics.add(&sample).unwrap_or_else(|error| unreachable!("all are alike, but: {error}"));
            }
            predictions(&statistics, &schema.target)
        };
        features.chunks(ROWS * inputs).flat_map(predict).collect()
    }
}

/// The prediction for each row.
fn predictions(statistics: &MonteCarlo, target: &Target) -> Vec<Prediction> {
    let deviations = statistics.deviation();
    let deviations = deviations.chunks(target.outputs());
    let means = statistics.mean().chunks(target.outputs());
    let uncertainties = match target {
        Target::Classes(_) => statistics.entropy().into_iter().zip(statistics.mutual_information()).collect(),
        Target::Numbers(_) | Target::Dates(..) => {
            deviations.clone().map(|deviations| (deviations[0], 0.0)).collect::<Vec<_>>()
        }
    };
    let of_row = |((means, deviations), (uncertainty, mutual_information)): ((&[f64], &[f64]), _)| Prediction {
        outputs: means.to_vec(),
        deviations: deviations.to_vec(),
        uncertainty,
        mutual_information,
    };
    means.zip(deviations).zip(uncertainties).map(of_row).collect()
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
        let Prediction { outputs, uncertainty, mutual_information, .. } = prediction;
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
