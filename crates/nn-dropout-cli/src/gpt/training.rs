//! The training loop of a GPT.

use std::fmt::Write;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use indicatif::ProgressBar;
use nn_dropout::Generator;
use nn_dropout_burn::DropoutConfig;
use rand_distr::{Distribution, StandardNormal};

use super::checkpoint::{self, Progress};
use super::model::{Gpt, GptConfig, Parts};
use super::tokens::{Batch, Batches, Text, even_batches};
use crate::interrupt;
use crate::settings::{GptSettings, TrainRng};
use crate::training::{MAX_PARAMETERS, Metrics, Score, Training, rng};

/// The most batches of each part of a text that its loss is measured on.
const EVAL_BATCHES: usize = 50;

/// What is learned from.
pub enum Source {
    Text { text: Text, train: Vec<Batch>, validation: Vec<Batch> },
    Batches(Batches),
}

/// Streams of random numbers: that of the weights, and one for the batch of each step.
const WEIGHTS_STREAM: u64 = 0;
const BATCH_STREAMS: u64 = 1;

/// A GPT in training.
pub struct GptTraining<'a> {
    settings: GptSettings,
    source: &'a Source,
    device: Device,
    generator: Generator,
    model: Gpt,
    optimizer: ModuleOptimizer,
    progress: Progress,
    bar: ProgressBar,
    /// When the training began or went on, and at which step.
    start: (Instant, usize),
}

/// Why a training has come back.
#[derive(PartialEq)]
pub enum Pause {
    /// The losses have been measured.
    Due,
    Interrupted,
    Finished,
}

impl<'a> GptTraining<'a> {
    pub fn new(settings: GptSettings, source: &'a Source, config: &GptConfig, bar: ProgressBar) -> Result<Self> {
        let device = Device::flex().autodiff();
        let generator = match settings.rng {
            TrainRng::Philox => Generator::philox(settings.seed),
            TrainRng::Torch => Generator::torch(settings.seed),
        };
        let mut model = new_model(config, &settings, &generator, &device);
        if let Some(path) = &settings.init {
            model = checkpoint::read_weights(path, model)?;
        }
        Ok(Self {
            optimizer: optimizer(&settings),
            model: checkpoint::number_parameters(model),
            progress: Progress { step: 0, metrics: String::new() },
            start: (Instant::now(), 0),
            settings,
            source,
            device,
            generator,
            bar,
        })
    }

    /// A training with the same settings goes on where it was when the checkpoint was made.
    pub fn resume(mut self, checkpoint: Vec<u8>) -> Result<Self> {
        let loaded = checkpoint::load(checkpoint, self.model, self.optimizer, &self.generator)?;
        (self.model, self.optimizer, self.progress) = loaded;
        // What has been loaded may have brought other numbers.
        self.model = checkpoint::number_parameters(self.model);
        self.bar.set_position(self.progress.step as u64);
        self.start = (Instant::now(), self.progress.step);
        Ok(self)
    }

    /// The model in eval mode.
    pub fn model(&self) -> Gpt {
        self.model.valid()
    }

    /// What has been measured on a text.
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
    pub fn go_on(&mut self) -> Result<Pause> {
        if self.progress.metrics.is_empty() {
            let is_text = matches!(self.source, Source::Text { .. });
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
        let loss = loss(&self.model, &batch, &self.device);
        let batch_loss = loss.clone().into_scalar::<f32>();
        if let Source::Batches(_) = self.source {
            writeln!(self.progress.metrics, "{},{batch_loss}", self.progress.step)?;
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        let gradients = clip(gradients, &self.model, self.settings.grad_clip.get());
        self.model = self.optimizer.step(self.settings.learning_rate.get(), self.model.clone(), gradients);
        self.progress.step += 1;

        let (start, first) = self.start;
        let tokens = (self.progress.step - first) * batch.targets.len();
        let speed = tokens as f64 / start.elapsed().as_secs_f64();
        self.bar.set_message(format!("loss {batch_loss:.3}, {speed:.0} tokens/s"));
        self.bar.inc(1);
        Ok(())
    }

    /// Adds a row with the losses of a text's two parts, in eval mode. Batches have their row at each step.
    fn measure(&mut self) -> Result<()> {
        let Source::Text { train, validation, .. } = self.source else {
            return Ok(());
        };
        let (model, device) = (self.model.valid(), Device::flex());
        let mean = |batches: &[Batch]| {
            let losses = batches
                .iter()
                .map(|batch| loss(&model, batch, &device).into_scalar::<f64>() * batch.targets.len() as f64);
            losses.sum::<f64>() / batches.iter().map(|batch| batch.targets.len()).sum::<usize>() as f64
        };
        let (train, validation) = (mean(train), mean(validation));
        self.bar.set_prefix(format!("validation loss {validation:.3}, "));
        Ok(writeln!(self.progress.metrics, "{},{train},{validation}", self.progress.step)?)
    }
}

impl Training for GptTraining<'_> {
    fn advance(&mut self) -> Result<Option<Metrics>> {
        Ok(if self.go_on()? == Pause::Due { self.history().pop() } else { None })
    }

    fn length(&self) -> usize {
        self.source.steps(&self.settings)
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        if self.progress.step == 0 {
            return Ok(None);
        }
        checkpoint::to_bytes(&self.model, &self.optimizer, &self.generator, &self.progress).map(Some)
    }
}

impl Source {
    /// How many steps there are to make.
    pub fn steps(&self, settings: &GptSettings) -> usize {
        match self {
            Self::Text { .. } => settings.max_iters.get(),
            Self::Batches(batches) => batches.shape[0],
        }
    }

    /// The batch of a step.
    fn batch(&self, step: usize, settings: &GptSettings) -> Batch {
        match self {
            Self::Text { text, .. } => {
                let mut rng = rng(settings.seed, BATCH_STREAMS + step as u64);
                text.random_batch(settings.batch_size.get(), settings.block_size.get(), &mut rng)
            }
            Self::Batches(batches) => batches.step(step),
        }
    }
}

/// What is learned from, and the sizes of the model that they and the settings make.
pub fn load(settings: &GptSettings) -> Result<(Source, GptConfig)> {
    ensure!(
        settings.data.is_some() || settings.batches.is_some(),
        "--model gpt learns from --data FILE.txt or from --batches FILE.npy: name one"
    );
    ensure!(settings.data.is_none() || settings.batches.is_none(), "--data and --batches exclude each other");
    let (n_embd, n_head) = (settings.n_embd.get(), settings.n_head.get());
    ensure!(n_embd % n_head == 0, "n_embd has to be a multiple of n_head, but got {n_embd} and {n_head}");
    let block_size = settings.block_size.get();
    let text = settings.data.as_ref().map(|path| Text::read(path, block_size)).transpose()?;
    let vocab_size = match (settings.vocab_size, &settings.init, &text) {
        (Some(given), _, _) => given.get(),
        (None, Some(weights), _) => checkpoint::vocab_size(weights)?,
        (None, None, Some(text)) => text.vocabulary.len(),
        (None, None, None) => bail!("without a text or weights, vocab_size has to be given"),
    };
    let config = sizes(settings, vocab_size);
    let parameters = parameters(&config);
    ensure!(parameters <= MAX_PARAMETERS, "these sizes make {parameters} weights, and at most {MAX_PARAMETERS} fit");
    let source = match (text, &settings.batches) {
        (Some(text), None) => {
            let characters = text.vocabulary.len();
            ensure!(
                characters <= vocab_size,
                "the text has {characters} different characters, and the model {vocab_size} tokens"
            );
            let batches = |part: &[i64]| even_batches(part, settings.batch_size.get(), block_size, EVAL_BATCHES);
            let (train, validation) = (batches(text.training()), batches(text.validation()));
            Source::Text { text, train, validation }
        }
        (None, Some(path)) => Source::Batches(Batches::read(path, vocab_size, block_size)?),
        _ => unreachable!("it is one of them"),
    };
    Ok((source, config))
}

/// The sizes of the model with these settings.
pub fn sizes(settings: &GptSettings, vocab_size: usize) -> GptConfig {
    GptConfig {
        vocab_size,
        block_size: settings.block_size.get(),
        n_layer: settings.n_layer.get(),
        n_head: settings.n_head.get(),
        n_embd: settings.n_embd.get(),
        bias: settings.bias,
    }
}

/// How many weights a model has, but for the few that are no matrices.
fn parameters(config: &GptConfig) -> usize {
    let GptConfig { vocab_size, block_size, n_layer, n_embd, .. } = *config;
    let block = n_embd.saturating_mul(n_embd).saturating_mul(12);
    let embeddings = vocab_size.saturating_add(block_size).saturating_mul(n_embd);
    embeddings.saturating_add(block.saturating_mul(n_layer))
}

/// A model with weights drawn by the seed.
pub fn new_model(config: &GptConfig, settings: &GptSettings, generator: &Generator, device: &Device) -> Gpt {
    let mut rng = rng(settings.seed, WEIGHTS_STREAM);
    let dropout = DropoutConfig::new(settings.dropout.get());
    Gpt::new(
        config,
        &mut Parts {
            normal: &mut || StandardNormal.sample(&mut rng),
            dropout: &|| dropout.init_with(generator),
            device,
        },
    )
}

/// AdamW; only matrices decay.
fn optimizer(settings: &GptSettings) -> ModuleOptimizer {
    let adamw = |decay: f64| {
        let config = AdamWConfig::new()
            .with_beta_1(settings.beta1.get() as f32)
            .with_beta_2(settings.beta2.get() as f32)
            .with_epsilon(1e-8)
            .with_weight_decay(decay as f32);
        config.build()
    };
    // Burn calls a layer norm's weight gamma.
    let matrices = ParamGroup::from_regex(r"\.weight$").expect("the pattern is well-formed");
    ModuleOptimizer::from(adamw(0.0)).with_group(matrices, adamw(settings.weight_decay.get()), None)
}

/// The mean cross-entropy of the next tokens.
fn loss(model: &Gpt, batch: &Batch, device: &Device) -> Tensor<1> {
    let (inputs, targets) = batch.to_tensors(device);
    let logits = model.forward(inputs);
    let [_, _, vocab_size] = logits.dims();
    CrossEntropyLossConfig::new().init(device).forward(logits.reshape([-1, vocab_size as i64]), targets)
}

/// Scales all gradients so that their norm, taken together, is at most `most`; 0 is no limit. As
/// `torch.nn.utils.clip_grad_norm_` does.
fn clip(gradients: GradientsParams, model: &Gpt, most: f64) -> GradientsParams {
    struct Norm<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += gradient.square().sum().into_scalar::<f64>();
            }
        }
    }
    struct Scale(GradientsParams, f64);
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, gradient.mul_scalar(self.1));
            }
        }
    }
    if most == 0.0 {
        return gradients;
    }
    let mut norm = Norm(&gradients, 0.0);
    model.visit(&mut norm);
    let scale = most / (norm.1.sqrt() + 1e-6);
    if scale >= 1.0 {
        return gradients;
    }
    let mut scaled = Scale(gradients, scale);
    model.visit(&mut scaled);
    scaled.0
}

/// The losses in a column of `metrics.csv`, `(step, loss)` each; none where there is no such column.
pub fn losses(metrics: &str, column: usize) -> Vec<(usize, f64)> {
    let rows = metrics.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter_map(|cells| Some((cells[0].parse().ok()?, cells.get(column)?.parse().ok()?))).collect()
}
