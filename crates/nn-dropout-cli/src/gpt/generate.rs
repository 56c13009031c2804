//! `nn-dropout generate`: text from a trained GPT.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail, ensure};
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_dropout::Generator;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::checkpoint;
use super::model::Gpt;
use super::tokens::Vocabulary;
use super::training::{new_model, sizes};
use crate::files::read_text;
use crate::numbers::{NotNegative, count, whole};
use crate::run::{CHECKPOINT, CONFIG, RunDir, VOCABULARY, WEIGHTS};
use crate::settings::GptSettings;

/// Let a trained GPT go on with a text
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct GenerateArgs {
    /// The folder of a run of `train --model gpt` on a text
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The text to go on with [default: a line break, or the first character that the model knows]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// The number of characters to add
    #[arg(long, value_name = "N", default_value = "500", value_parser = whole::<u32>)]
    tokens: u32,
    /// How daring to be: 0 always takes the likeliest character
    #[arg(long, value_name = "T", default_value = "0.8")]
    temperature: NotNegative,
    /// Only choose between so many of the likeliest characters [default: all]
    #[arg(long, value_name = "K", value_parser = count)]
    top_k: Option<NonZeroUsize>,
    /// Determines what is chosen
    #[arg(long, value_name = "N", default_value = "42", value_parser = whole::<u64>)]
    seed: u64,
}

pub fn generate(args: &GenerateArgs) -> Result<()> {
    let run = RunDir::open(&args.run)?;
    let settings: GptSettings = toml::from_str(&read_text(&run.file(CONFIG))?)
        .map_err(|_| anyhow!("the run in {} is not of a GPT", args.run.display()))?;
    let vocabulary = run.file(VOCABULARY);
    ensure!(vocabulary.exists(), "the run in {} has learned from batches, not from a text", args.run.display());
    let vocabulary = Vocabulary::of(&read_text(&vocabulary)?);
    let first = vocabulary.decode(0);
    let prompt =
        args.prompt.clone().unwrap_or_else(|| if vocabulary.encode("\n").is_ok() { '\n' } else { first }.to_string());
    let mut tokens = vocabulary.encode(&prompt)?;
    ensure!(!tokens.is_empty(), "--prompt has to be at least one character long");

    let weights = match [WEIGHTS, CHECKPOINT].map(|name| run.file(name)) {
        [weights, _] if weights.exists() => weights,
        [_, checkpoint] if checkpoint.exists() => checkpoint,
        _ => bail!("the run in {} has saved no weights yet", args.run.display()),
    };
    let sizes = sizes(&settings, checkpoint::vocab_size(&weights)?);
    // Not on an autodiff device: the model is in eval mode.
    let device = Device::flex();
    let model = new_model(&sizes, &settings, &Generator::philox(0), &device);
    let model = checkpoint::read_weights(&weights, model)?;

    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let mut out = stdout().lock();
    write!(out, "{prompt}")?;
    for _ in 0..args.tokens {
        let seen = &tokens[tokens.len().saturating_sub(sizes.block_size)..];
        let logits = next_logits(&model, seen, vocabulary.len(), &device)?;
        let token = choose(&logits, args.temperature.get(), args.top_k, &mut rng);
        tokens.push(token as i64);
        write!(out, "{}", vocabulary.decode(token as i64))?;
        out.flush()?;
    }
    writeln!(out)?;
    Ok(())
}

/// The logits of what comes after `seen`, of tokens that are characters.
fn next_logits(model: &Gpt, seen: &[i64], characters: usize, device: &Device) -> Result<Vec<f32>> {
    let input = Tensor::<2, Int>::from_data(TensorData::new(seen.to_vec(), [1, seen.len()]), device);
    let logits = model.forward(input);
    let [_, count, vocab_size] = logits.dims();
    let last = logits.slice([0..1, count - 1..count, 0..vocab_size.min(characters)]);
    last.into_data().try_to_vec().map_err(|error| anyhow!("{error:?}"))
}

/// The place of one of the logits, chosen as likely as its softmax.
fn choose(logits: &[f32], temperature: f64, top_k: Option<NonZeroUsize>, rng: &mut ChaCha8Rng) -> usize {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    order.truncate(if temperature == 0.0 { 1 } else { top_k.map_or(order.len(), NonZeroUsize::get) });
    let best = f64::from(logits[order[0]]);
    let weight =
        |&token: &usize| if temperature == 0.0 { 1.0 } else { ((f64::from(logits[token]) - best) / temperature).exp() };
    let total: f64 = order.iter().map(weight).sum();
    let mut left = rng.random::<f64>() * total;
    for token in &order {
        left -= weight(token);
        if left < 0.0 {
            return *token;
        }
    }
    order[0]
}
