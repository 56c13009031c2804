//! The training loop of a GPT.

use std::fmt::Write;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
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
use super::report;
use super::tokens::{Batch, Batches, Text, even_batches};
use crate::run::{CHECKPOINT, CONFIG, Ended, METRICS, REPORT, RunDir, VOCABULARY, WEIGHTS};
use crate::settings::{GptSettings, Output, TrainRng, to_toml};
use crate::training::{MAX_PARAMETERS, progress_bar, rng};
use crate::{interrupt, run, weights};

/// The most batches of each part of a text that its loss is measured on.
const EVAL_BATCHES: usize = 50;

/// What is learned from.
enum Source {
    Text { text: Text, train: Vec<Batch>, validation: Vec<Batch> },
    Batches(Batches),
}

/// Streams of random numbers: that of the weights, and one for the batch of each step.
const WEIGHTS_STREAM: u64 = 0;
const BATCH_STREAMS: u64 = 1;

/// Nothing is written before all input has been checked.
pub fn train(settings: &GptSettings, output: &Output) -> Result<Ended> {
    let (source, config) = load(settings)?;
    let device = Device::flex().autodiff();
    let generator = match settings.rng {
        TrainRng::Philox => Generator::philox(settings.seed),
        TrainRng::Torch => Generator::torch(settings.seed),
    };
    let mut model = new_model(&config, settings, &generator, &device);
    if let Some(path) = &settings.init {
        model = checkpoint::read_weights(path, model)?;
    }
    let mut optimizer = optimizer(settings);
    let header = if let Source::Text { .. } = source { "step,train_loss,val_loss\n" } else { "step,loss\n" };
    let mut progress = Progress { step: 0, metrics: header.to_owned() };
    let run = open_run(settings, output)?;
    if output.resume {
        let checkpoint = run.file(CHECKPOINT);
        if checkpoint.exists() {
            (model, optimizer, progress) = checkpoint::load(&checkpoint, model, optimizer, &generator)?;
        }
        run.write(CONFIG, to_toml(settings)?.as_bytes())?; // it may be longer now
    }
    if let Source::Text { text, .. } = &source {
        run.write(VOCABULARY, text.vocabulary.characters().as_bytes())?;
    }
    // Last, since what has been loaded may have brought other numbers.
    model = checkpoint::number_parameters(model);
    interrupt::listen()?;

    let steps = match &source {
        Source::Text { .. } => settings.max_iters.get(),
        Source::Batches(batches) => batches.shape[0],
    };
    let bar = progress_bar("step", steps, progress.step, output.quiet);
    if progress.step == 0 {
        measure(&source, &model, 0, &mut progress.metrics, &bar)?;
        run.write(METRICS, progress.metrics.as_bytes())?;
    }
    let (start, first) = (Instant::now(), progress.step);
    while progress.step < steps {
        let step = progress.step;
        let batch = source.batch(step, settings);
        let loss = loss(&model, &batch, &device);
        let batch_loss = loss.clone().into_scalar::<f32>();
        if let Source::Batches(_) = source {
            writeln!(progress.metrics, "{step},{batch_loss}")?;
        }
        let gradients = clip(GradientsParams::from_grads(loss.backward(), &model), &model, settings.grad_clip.get());
        model = optimizer.step(settings.learning_rate.get(), model, gradients);
        progress.step += 1;

        let tokens = (progress.step - first) * batch.targets.len();
        let speed = tokens as f64 / start.elapsed().as_secs_f64();
        bar.set_message(format!("loss {batch_loss:.3}, {speed:.0} tokens/s"));
        bar.inc(1);
        let interrupted = interrupt::noted();
        let due = progress.step.is_multiple_of(settings.eval_interval.get()) || progress.step == steps;
        if due {
            measure(&source, &model, progress.step, &mut progress.metrics, &bar)?;
        }
        if due || interrupted {
            run.write(CHECKPOINT, &checkpoint::to_bytes(&model, &optimizer, &generator, &progress)?)?;
            run.write(METRICS, progress.metrics.as_bytes())?;
        }
        if interrupted {
            break;
        }
    }
    bar.finish_and_clear();
    finish(settings, &run, &model, &progress, steps)
}

/// The folder of the run: the one to go on with, or a new one.
fn open_run(settings: &GptSettings, output: &Output) -> Result<RunDir> {
    if output.resume {
        let run = RunDir::open(output.out.as_deref().context("the settings came from a folder")?)?;
        check_resumed(settings, &run)?;
        return Ok(run);
    }
    let data = settings.data.as_ref().or(settings.batches.as_ref()).context("there is one of them")?;
    RunDir::create(&run::name(data, settings.dropout, settings.seed), &to_toml(settings)?, output)
}

/// Saves the weights and the report, and says what came out.
fn finish(settings: &GptSettings, run: &RunDir, model: &Gpt, progress: &Progress, steps: usize) -> Result<Ended> {
    run.write(WEIGHTS, &weights::to_bytes(&model.valid())?)?;
    let [train, validation] = [1, 2].map(|column| losses(&progress.metrics, column));
    let page = report::html(settings, &to_toml(settings)?, &train, &validation, run.path())?;
    run.write(REPORT, page.as_bytes())?;
    let ended = if progress.step < steps { Ended::Interrupted } else { Ended::Finished };
    if let Ended::Interrupted = ended {
        println!("interrupted after {} of {steps} steps; go on with --resume", progress.step);
    }
    if let Some((_, loss)) = train.last() {
        println!("training loss    {loss:.4}");
    }
    if let Some((_, loss)) = validation.last() {
        println!("validation loss  {loss:.4}");
    }
    println!("results in {}, curves in {}", run.path().display(), run.file(REPORT).display());
    Ok(ended)
}

impl Source {
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
fn load(settings: &GptSettings) -> Result<(Source, GptConfig)> {
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
        (None, None) => bail!("--model gpt learns from --data FILE.txt or from --batches FILE.npy: name one"),
        (Some(_), Some(_)) => bail!("--data and --batches exclude each other"),
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

/// Adds a row with the losses of a text's two parts, in eval mode. Batches have their row at each step.
fn measure(source: &Source, model: &Gpt, step: usize, metrics: &mut String, bar: &ProgressBar) -> Result<()> {
    let Source::Text { train, validation, .. } = source else {
        return Ok(());
    };
    let (model, device) = (model.valid(), Device::flex());
    let mean = |batches: &[Batch]| {
        let losses =
            batches.iter().map(|batch| loss(&model, batch, &device).into_scalar::<f64>() * batch.targets.len() as f64);
        losses.sum::<f64>() / batches.iter().map(|batch| batch.targets.len()).sum::<usize>() as f64
    };
    let (train, validation) = (mean(train), mean(validation));
    bar.set_prefix(format!("validation loss {validation:.3}, "));
    Ok(writeln!(metrics, "{step},{train},{validation}")?)
}

/// Whether a run can go on with these settings: only its length may be another.
fn check_resumed(settings: &GptSettings, run: &RunDir) -> Result<()> {
    let path = run.file(CONFIG);
    let before: toml::Table =
        toml::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
    let now: toml::Table = toml::from_str(&to_toml(settings)?)?;
    for key in before.keys().chain(now.keys()).filter(|&key| key != "max_iters") {
        let [before, now] =
            [&before, &now].map(|table| table.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string));
        ensure!(
            before == now,
            "the run in {} has {key} = {before}, not {now}: only max_iters may change",
            run.path().display()
        );
    }
    Ok(())
}

/// The losses in a column of `metrics.csv`, `(step, loss)` each; none where there is no such column.
fn losses(metrics: &str, column: usize) -> Vec<(usize, f64)> {
    let rows = metrics.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter_map(|cells| Some((cells[0].parse().ok()?, cells.get(column)?.parse().ok()?))).collect()
}
