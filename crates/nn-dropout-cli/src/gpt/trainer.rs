//! The training loop of a GPT.

use std::fmt::Write;
use std::time::Instant;

use anyhow::Result;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Tensor};
use indicatif::ProgressBar;
use nn_dropout::Generator;
use nn_dropout_experiments::device;
use nn_dropout_experiments::interrupt;
use nn_dropout_experiments::metric::{Metric, Metrics, Score};
use nn_dropout_experiments::settings::{GptSettings, TrainRng};
use nn_dropout_experiments::trainer::{GROUPS, Trainer, Validated, group};
use nn_dropout_models::{GptConfig, Training};

use super::checkpoint::{self, Progress};
use super::model::{ACTIVATIONS, Gpt, new_model};
use super::optimizer::{clip, optimizer};
use super::source::{Data, Source};
use super::tokens::Batch;

/// A GPT in training.
pub struct GptTrainer<'a> {
    settings: GptSettings,
    source: &'a Source,
    device: Device,
    generator: Generator,
    training: Training<Gpt>,
    progress: Progress,
    bar: ProgressBar,
    /// When the training started or resumed, and at which step.
    start: (Instant, usize),
}

/// Why the training has paused.
#[derive(PartialEq)]
pub enum Pause {
    /// The losses have been measured.
    Due,
    Interrupted,
    Finished,
}

impl<'a> GptTrainer<'a> {
    pub fn new(settings: GptSettings, source: &'a Source, config: &GptConfig, bar: ProgressBar) -> Result<Self> {
        let device = device::open(settings.device)?.autodiff();
        let generator = match settings.rng {
            TrainRng::Philox => Generator::philox(settings.seed),
            TrainRng::Torch => Generator::torch(settings.seed),
        };
        ACTIVATIONS.check(&settings.dropout, &generator)?;
        let mut model = new_model(config, &settings, &generator, &device);
        if let Some(path) = &settings.init {
            model = checkpoint::read_weights(path, model)?;
        }
        Ok(Self {
            training: Training::new(checkpoint::number_parameters(model), optimizer(&settings)),
            progress: Progress { step: 0, metrics: String::new() },
            start: (Instant::now(), 0),
            settings,
            source,
            device,
            generator,
            bar,
        })
    }

    /// Resumes a training with the same settings from a checkpoint.
    pub fn resume(mut self, checkpoint: Vec<u8>) -> Result<Self> {
        let (model, optimizer) = self.training.into_parts();
        let (model, optimizer, progress) = checkpoint::load(checkpoint, model, optimizer, &self.generator)?;
        // Loading may have changed the numbers.
        self.training = Training::new(checkpoint::number_parameters(model), optimizer);
        self.progress = progress;
        self.bar.set_position(self.progress.step as u64);
        self.start = (Instant::now(), self.progress.step);
        Ok(self)
    }

    /// The whole state.
    pub fn to_checkpoint(&self) -> Result<Vec<u8>> {
        let Self { training, generator, progress, source, .. } = self;
        checkpoint::to_bytes(training.model(), training.optimizer(), generator, progress, &source.inputs)
    }

    /// The model in eval mode, on the CPU.
    pub fn model(&self) -> Gpt {
        self.training.model().valid().to_device(&Device::flex())
    }

    /// The metrics so far, if the source is a text.
    pub fn history(&self) -> Vec<Metrics> {
        let [train, validation] = [1, 2].map(|column| losses(&self.progress.metrics, column));
        let score = |loss| Score { loss, metric: loss };
        let rows = train.into_iter().zip(validation);
        rows.map(|((epoch, train), (_, validation))| Metrics {
            epoch,
            train: score(train),
            validation: score(validation),
        })
        .collect()
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Trains until the losses have been measured again.
    pub fn train(&mut self) -> Result<Pause> {
        if self.progress.metrics.is_empty() {
            let is_text = matches!(self.source.data, Data::Text { .. });
            self.progress.metrics += if is_text { "step,train_loss,val_loss\n" } else { "step,loss\n" };
            self.measure()?;
            return Ok(Pause::Due);
        }
        while self.progress.step < self.length() {
            self.step()?;
            let due = self.progress.step.is_multiple_of(self.settings.eval_interval.get())
                || self.progress.step == self.length();
            if due {
                self.measure()?;
            }
            if interrupt::noted() {
                return Ok(Pause::Interrupted);
            }
            if due {
                return Ok(Pause::Due);
            }
        }
        Ok(Pause::Finished)
    }

    fn step(&mut self) -> Result<()> {
        let batch = self.source.batch(self.progress.step, &self.settings);
        let loss = loss(self.training.model(), &batch, &self.device);
        let batch_loss = loss.clone().into_scalar::<f32>();
        if let Data::Batches(_) = self.source.data {
            writeln!(self.progress.metrics, "{},{batch_loss}", self.progress.step)?;
        }
        let gradients = clip(self.training.gradients(&loss), self.training.model(), self.settings.grad_clip.get());
        self.training.step(self.settings.learning_rate.get(), gradients);
        self.generator.advance();
        self.progress.step += 1;

        let (start, first) = self.start;
        let tokens = (self.progress.step - first) * batch.targets.len();
        let speed = tokens as f64 / start.elapsed().as_secs_f64();
        self.bar.set_message(format!("loss {batch_loss:.3}, {speed:.0} tokens/s"));
        self.bar.inc(1);
        Ok(())
    }

    /// The sum of the losses of each batch, in eval mode, and its tokens.
    fn losses(&self, batches: &[Batch]) -> Vec<(f64, usize)> {
        let (model, device) = (self.training.model().valid(), self.device.clone().without_autodiff());
        let of = |batch: &Batch| {
            let tokens = batch.targets.len();
            (loss(&model, batch, &device).into_scalar::<f64>() * tokens as f64, tokens)
        };
        batches.iter().map(of).collect()
    }

    /// Adds a row with the losses of both parts of a text, in eval mode. Batches have a row per step instead.
    fn measure(&mut self) -> Result<()> {
        let Data::Text { train, validation, .. } = &self.source.data else {
            return Ok(());
        };
        let [train, validation] = [train, validation].map(|part| mean(&self.losses(part)));
        self.bar.set_prefix(format!("validation loss {validation:.3}, "));
        Ok(writeln!(self.progress.metrics, "{},{train},{validation}", self.progress.step)?)
    }
}

impl Trainer for GptTrainer<'_> {
    fn advance(&mut self) -> Result<Option<Metrics>> {
        Ok(if self.train()? == Pause::Due { self.history().pop() } else { None })
    }

    fn length(&self) -> usize {
        self.source.steps(&self.settings)
    }

    fn validate(&self) -> Validated {
        let Data::Text { validation, .. } = &self.source.data else {
            return Validated { scores: Vec::new(), left_out: Vec::new(), groups: Vec::new() };
        };
        let losses = self.losses(validation);
        let without = |left_out: usize| {
            let kept = losses.iter().zip(0..).filter(|(_, batch)| group(*batch) != left_out);
            mean(&kept.map(|(loss, _)| *loss).collect::<Vec<_>>())
        };
        let groups = (0..GROUPS).map(|left_out| (0..losses.len()).any(|batch| group(batch as u64) == left_out));
        Validated {
            scores: vec![(Metric::CrossEntropy, mean(&losses))],
            left_out: (0..GROUPS).map(without).collect(),
            groups: groups.collect(),
        }
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        (self.progress.step > 0).then(|| self.to_checkpoint()).transpose()
    }
}

/// The mean loss of all tokens.
fn mean(losses: &[(f64, usize)]) -> f64 {
    losses.iter().map(|(sum, _)| sum).sum::<f64>() / losses.iter().map(|(_, tokens)| tokens).sum::<usize>() as f64
}

/// The mean cross-entropy of the next tokens.
fn loss(model: &Gpt, batch: &Batch, device: &Device) -> Tensor<1> {
    let (inputs, targets) = batch.to_tensors(device);
    let logits = model.forward(inputs);
    let [_, _, vocab_size] = logits.dims();
    CrossEntropyLossConfig::new().init(device).forward(logits.reshape([-1, vocab_size as i64]), targets)
}

/// The losses in a column of `metrics.csv`, each as `(step, loss)`; none if there is no such column.
pub fn losses(metrics: &str, column: usize) -> Vec<(usize, f64)> {
    let rows = metrics.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter_map(|cells| Some((cells[0].parse().ok()?, cells.get(column)?.parse().ok()?))).collect()
}
