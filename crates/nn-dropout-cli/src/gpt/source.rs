//! What a GPT learns from, loaded and checked.

use anyhow::{Result, bail, ensure};
use nn_dropout_experiments::io::files;
use nn_dropout_experiments::note;
use nn_dropout_experiments::settings::GptSettings;
use nn_dropout_experiments::trainer::rng;
use nn_dropout_models::GptConfig;

use super::checkpoint;
use super::model::sizes;
use super::tokens::{Batch, Batches, Text, even_batches};
use crate::io::input::Input;

/// The most batches that the loss of each part of a text is measured on.
const EVAL_BATCHES: usize = 50;

/// The stream of the seed that the batch of the first step is drawn from. Each step has its own.
const BATCH_STREAMS: u64 = 1;

/// What a run learns from.
pub struct Source {
    pub data: Data,
    /// The files that it comes from, with that of the weights.
    pub inputs: Vec<Input>,
}

/// A text, and the batches that its losses are measured on; or batches made elsewhere.
pub enum Data {
    Text { text: Text, train: Vec<Batch>, validation: Vec<Batch> },
    Batches(Batches),
}

impl Source {
    /// Tells the user what was changed in the text. It follows all checks, which end in one line if they fail.
    pub fn print_note(&self) {
        if let (Data::Text { text, .. }, Some(input)) = (&self.data, self.inputs.first()) {
            print_note(input.name(), text.note.as_deref());
        }
    }

    /// The number of training steps.
    pub fn steps(&self, settings: &GptSettings) -> usize {
        match &self.data {
            Data::Text { .. } => settings.max_iters.get(),
            Data::Batches(batches) => batches.shape[0],
        }
    }

    /// The batch of a step.
    pub fn batch(&self, step: usize, settings: &GptSettings) -> Batch {
        match &self.data {
            Data::Text { text, .. } => {
                let mut rng = rng(settings.seed, BATCH_STREAMS + step as u64);
                text.random_batch(settings.batch_size.get(), settings.block_size.get(), &mut rng)
            }
            Data::Batches(batches) => batches.step(step),
        }
    }
}

/// Tells the user what was changed in a text.
pub fn print_note(name: &str, note: Option<&str>) {
    if let Some(note) = note {
        note!("note: {name}: {note}");
    }
}

/// Loads the source that the settings name, and works out the sizes of the model. `check` sees the files first: if one has changed,
/// all other errors would only follow from that.
pub fn load(settings: &GptSettings, check: impl FnOnce(&[Input]) -> Result<()>) -> Result<(Source, GptConfig)> {
    ensure!(
        settings.data.is_some() || settings.batches.is_some(),
        "--model gpt learns from --data FILE.txt or from --batches FILE.npy: name one"
    );
    ensure!(settings.data.is_none() || settings.batches.is_none(), "--data and --batches exclude each other");
    let block_size = settings.block_size.get();
    let text = settings.data.as_ref().map(|path| Text::read(path)).transpose()?;
    let inputs = inputs(settings, text.as_ref())?;
    check(&inputs)?;
    if let (Some(text), Some(path)) = (&text, &settings.data) {
        ensure!(
            text.validation().len() > block_size,
            "{}: the text has {} characters, and its last tenth has to be longer than a block of {block_size}",
            path.display(),
            text.len()
        );
    }
    let vocab_size = match (settings.vocab_size, &settings.init, &text) {
        (Some(given), _, _) => given.get(),
        (None, Some(weights), _) => checkpoint::vocab_size(weights)?,
        (None, None, Some(text)) => text.vocabulary.len(),
        (None, None, None) => bail!("without a text or weights, vocab_size has to be given"),
    };
    let config = sizes(settings, vocab_size)?;
    let data = match (text, &settings.batches) {
        (Some(text), None) => {
            let characters = text.vocabulary.len();
            ensure!(
                characters <= vocab_size,
                "the text has {characters} different characters, and the model {vocab_size} tokens"
            );
            let batches = |part: &[i64]| even_batches(part, settings.batch_size.get(), block_size, EVAL_BATCHES);
            let (train, validation) = (batches(text.training()), batches(text.validation()));
            Data::Text { text, train, validation }
        }
        (None, Some(path)) => Data::Batches(Batches::read(path, vocab_size, block_size)?),
        _ => unreachable!("the settings name one of them"),
    };
    Ok((Source { data, inputs }, config))
}

/// The files that the settings name.
fn inputs(settings: &GptSettings, text: Option<&Text>) -> Result<Vec<Input>> {
    let text = settings.data.iter().zip(text).map(|(path, text)| Input::new("text", path, text.blake3.clone()));
    let mut inputs: Vec<Input> = text.collect();
    for (kind, path) in [("file of batches", &settings.batches), ("file of weights", &settings.init)] {
        if let Some(path) = path {
            inputs.push(Input::new(kind, path, blake3::hash(&files::read(path)?).to_string()));
        }
    }
    Ok(inputs)
}
