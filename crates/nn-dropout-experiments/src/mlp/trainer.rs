//! The training loop of a perceptron.

use anyhow::{Result, ensure};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use indicatif::ProgressBar;
use nn_dropout::Generator;
use nn_dropout_models::mlp::parameters;
use nn_dropout_models::{AdamW, Training};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::model::{ACTIVATIONS, Mlp, new_model, sizes};
use super::scores::Outputs;
use crate::metric::{Metrics, Scores};
use crate::settings::MlpSettings;
use crate::table::{Part, Scale, Schema, Split, Table, Targets};
use crate::trainer::{GROUPS, MAX_PARAMETERS, Trainer, Validated, group, rng};
use crate::{device, interrupt};

/// The uses of the seed, each a stream.
#[derive(Clone, Copy)]
enum Stream {
    Split,
    Weights,
    Batches,
    /// The test part, with seed 0: the same for all seeds.
    Test,
}

/// A perceptron in training.
pub struct MlpTrainer {
    settings: MlpSettings,
    split: Split,
    device: Device,
    generator: Generator,
    training: Training<Mlp>,
    /// The training rows, in the order of the last epoch.
    order: Vec<usize>,
    batches: ChaCha8Rng,
    epoch: usize,
    bar: ProgressBar,
}

impl MlpTrainer {
    pub fn new(settings: MlpSettings, table: &Table, bar: ProgressBar) -> Result<Self> {
        let stream = |stream: Stream| rng(settings.seed, stream as u64);
        let split = Split::of(table, &settings, &mut stream(Stream::Split), &mut rng(0, Stream::Test as u64))?;
        let sizes = sizes(&settings, &split.schema);
        let parameters = parameters(&sizes);
        ensure!(
            parameters <= MAX_PARAMETERS,
            "these hidden layers make {parameters} parameters, and at most {MAX_PARAMETERS} fit"
        );
        let device = device::open(settings.device)?;
        let generator = Generator::philox(settings.seed);
        for dropout in std::iter::once(&settings.dropout).chain(&settings.input_dropout) {
            ACTIVATIONS.check(dropout, &generator)?;
        }
        let autodiff = device.clone().autodiff();
        let model = new_model(&sizes, &settings, &mut stream(Stream::Weights), &generator, &autodiff);
        Ok(Self {
            order: (0..split.train.len()).collect(),
            batches: stream(Stream::Batches),
            training: Training::new(model, AdamW::default().into()),
            epoch: 0,
            settings,
            split,
            device,
            generator,
            bar,
        })
    }

    pub fn split(&self) -> &Split {
        &self.split
    }

    /// The model in eval mode, on the CPU.
    pub fn model(&self) -> Mlp {
        self.training.model().valid().to_device(&Device::flex())
    }

    /// The number of epochs so far.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// Trains for an epoch. `false` after an interrupt.
    fn train_epoch(&mut self) -> bool {
        let device = self.device.clone().autodiff();
        self.order.shuffle(&mut self.batches);
        let batches = self.order.chunks(self.settings.batch_size.get());
        let (first, steps) = (self.epoch * batches.len(), self.length() * batches.len());
        for (step, rows) in (first..).zip(batches) {
            if interrupt::noted() {
                return false;
            }
            let outputs = self.training.model().forward(features(&self.split.train, rows, &device));
            let loss = loss(outputs, &self.split.train.targets, rows, &device);
            let gradients = self.training.gradients(&loss);
            // It falls linearly to 0, so that the noise of dropout averages out in the end.
            let learning_rate = self.settings.learning_rate.get() * (1.0 - step as f64 / steps as f64);
            self.training.step(learning_rate, gradients);
            self.generator.advance();
        }
        self.epoch += 1;
        self.bar.inc(1);
        true
    }

    /// What the model says of a part in eval mode.
    fn outputs<'a>(&self, part: &'a Part) -> Outputs<'a> {
        outputs(&self.training.model().valid(), &self.split.schema, part, &self.device)
    }

    /// All scores of a part.
    pub fn scores(&self, part: &Part) -> Scores {
        self.outputs(part).scores()
    }

    /// How good the model is on both parts.
    pub fn measure(&self) -> Metrics {
        let metric = self.settings.metric();
        let [train, validation] =
            [&self.split.train, &self.split.validation].map(|part| self.outputs(part).score(metric));
        self.bar.set_message(format!("validation {} {}", metric.name(), metric.shown(validation.metric)));
        Metrics { epoch: self.epoch, train, validation }
    }
}

impl Trainer for MlpTrainer {
    fn advance(&mut self) -> Result<Option<Metrics>> {
        if self.epoch == self.length() {
            return Ok(None);
        }
        let interval = self.settings.eval_interval();
        let due = (self.epoch / interval + 1).saturating_mul(interval).min(self.length());
        while self.epoch < due {
            if !self.train_epoch() {
                return Ok(None);
            }
        }
        Ok(Some(self.measure()))
    }

    fn length(&self) -> usize {
        self.settings.epochs.get()
    }

    fn validate(&self) -> Validated {
        validated(
            &self.training.model().valid(),
            &self.settings,
            &self.split.schema,
            &self.split.validation,
            &self.device,
        )
    }
}

/// The most rows that a model is given at once to be measured.
const ROWS: usize = 1024;

/// What a model in eval mode says of a part.
fn outputs<'a>(model: &Mlp, schema: &Schema, part: &'a Part, device: &Device) -> Outputs<'a> {
    let rows: Vec<usize> = (0..part.len()).collect();
    let outputs = rows.chunks(ROWS).map(|rows| model.forward(features(part, rows, device)).into_data());
    let values = outputs.flat_map(|outputs| outputs.iter::<f32>().collect::<Vec<_>>()).collect();
    Outputs::new(values, schema.target.outputs(), &part.targets, schema.target.scale().map_or(1.0, Scale::unit))
}

/// The scores of a part, by a model in eval mode.
pub fn validated(model: &Mlp, settings: &MlpSettings, schema: &Schema, part: &Part, device: &Device) -> Validated {
    let outputs = outputs(model, schema, part, device);
    let of_row: Vec<usize> = part.units.iter().map(|&unit| group(unit)).collect();
    let left_out = outputs.left_out(settings.metric(), GROUPS, |row| of_row[row]);
    let groups = (0..GROUPS).map(|group| of_row.contains(&group)).collect();
    Validated { scores: outputs.scores(), left_out, groups }
}

fn features(part: &Part, rows: &[usize], device: &Device) -> Tensor<2> {
    let inputs = part.row(rows[0]).len();
    let mut features = Vec::with_capacity(rows.len() * inputs);
    for &row in rows {
        features.extend_from_slice(part.row(row));
    }
    Tensor::from_data(TensorData::new(features, [rows.len(), inputs]), device)
}

/// The mean loss of a model's outputs for these rows: the cross-entropy, or the squared error.
fn loss(outputs: Tensor<2>, targets: &Targets, rows: &[usize], device: &Device) -> Tensor<1> {
    match targets {
        Targets::Classes { numbers, .. } => {
            let numbers: Vec<i64> = rows.iter().map(|&row| numbers[row] as i64).collect();
            let numbers = Tensor::<1, Int>::from_data(TensorData::new(numbers, [rows.len()]), device);
            CrossEntropyLossConfig::new().init(device).forward(outputs, numbers)
        }
        Targets::Numbers(numbers) | Targets::Dates(numbers) => {
            let numbers: Vec<f32> = rows.iter().map(|&row| numbers[row] as f32).collect();
            let numbers = Tensor::<2>::from_data(TensorData::new(numbers, [rows.len(), 1]), device);
            (outputs - numbers).square().mean()
        }
    }
}
