//! `nn-dropout generate`: text from a trained GPT.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail, ensure};
use burn::tensor::Device;
use nn_dropout::Generator;
use nn_dropout_experiments::io::text::{Decoded, decode};
use nn_dropout_experiments::settings::Settings;
use nn_dropout_experiments::settings::numbers::{NotNegative, count, seed, whole};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Ended;
use crate::gpt::checkpoint;
use crate::gpt::model::{new_model, sizes};
use crate::gpt::sampling::{choose, next_logits};
use crate::gpt::source::print_note;
use crate::gpt::tokens::Vocabulary;
use crate::io::run_dir::{CHECKPOINT, CONFIG, RunDir, VOCABULARY, WEIGHTS};

/// Continue a text with a trained GPT
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct GenerateArgs {
    /// The folder of a run of `train --model gpt` on a text
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The text to continue [default: a line break, or the first character that the model knows]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// The number of characters to add
    #[arg(long, value_name = "N", default_value = "500", value_parser = whole::<u32>)]
    tokens: u32,
    /// The temperature of the softmax: 0 always takes the likeliest character
    #[arg(long, value_name = "T", default_value = "0.8")]
    temperature: NotNegative,
    /// Choose from only this many of the likeliest characters [default: all]
    #[arg(long, value_name = "K", value_parser = count)]
    top_k: Option<NonZeroUsize>,
    /// The seed of the choices
    #[arg(long, value_name = "N", default_value = "42", value_parser = seed)]
    seed: u64,
}

pub fn generate(args: &GenerateArgs) -> Result<Ended> {
    let run = RunDir::open(&args.run)?;
    let Settings::Gpt(settings) = Settings::read(&run.file(CONFIG))? else {
        bail!("the run in {} is of a perceptron, which `nn-dropout predict` takes, not of a GPT", args.run.display());
    };
    ensure!(settings.data.is_some(), "the run in {} was trained on batches, not on a text", args.run.display());
    let weights = match [WEIGHTS, CHECKPOINT].map(|name| run.file(name)) {
        [weights, _] if weights.exists() => weights,
        [_, checkpoint] if checkpoint.exists() => checkpoint,
        _ => bail!("the run in {} has saved no weights yet", args.run.display()),
    };
    let characters = run.file(VOCABULARY);
    let vocabulary = Vocabulary::read(&characters)?;
    let first = || if vocabulary.encode("\n").is_ok() { '\n' } else { vocabulary.decode(0) }.to_string();
    let Decoded { text: prompt, note } = decode(args.prompt.clone().unwrap_or_else(first).into_bytes())?;
    let tokens = vocabulary.encode(&prompt);
    let mut tokens = tokens.map_err(|error| anyhow!("--prompt: {error}, only those in {}", characters.display()))?;
    ensure!(!tokens.is_empty(), "--prompt has to be at least one character long");

    let sizes = sizes(&settings, checkpoint::vocab_size(&weights)?)?;
    ensure!(
        vocabulary.len() <= sizes.vocab_size,
        "{} has {} characters, and the model {} tokens",
        characters.display(),
        vocabulary.len(),
        sizes.vocab_size
    );
    // Not on an autodiff device: the model is in eval mode.
    let device = Device::flex();
    let model = new_model(&sizes, &settings, &Generator::philox(0), &device);
    let model = checkpoint::read_weights(&weights, model)?;

    print_note("--prompt", note.as_deref());
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
    Ok(Ended::Finished)
}
