//! Tokens that a GPT learns from: the characters of a text, or batches made elsewhere.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_dropout_experiments::io::files;
use nn_dropout_experiments::io::source::{Source, shown};
use nn_dropout_experiments::io::text::{Decoded, decode};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::io::npy::read_npy_i64;

/// The characters that a model knows. The number of a token is the index of its character.
#[derive(Clone, PartialEq)]
pub struct Vocabulary(Vec<char>);

impl Vocabulary {
    /// All characters of a text.
    pub fn of(text: &str) -> Self {
        Self(text.chars().collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// The characters in the file of a run.
    pub fn read(path: &Path) -> Result<Self> {
        let text = String::from_utf8(files::read(path)?).unwrap_or_default();
        ensure!(!text.is_empty(), "{}: expected the characters of a text in UTF-8", path.display());
        Ok(Self::of(&text))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let token = |char: char| {
            let place = self.0.binary_search(&char);
            place.map(|place| place as i64).map_err(|_| anyhow!("the model does not know the character {char:?}"))
        };
        text.chars().map(token).collect()
    }

    /// The character of a token. A model can have more tokens than its text had characters.
    pub fn decode(&self, token: i64) -> char {
        usize::try_from(token).ok().and_then(|token| self.0.get(token).copied()).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// The characters in their order.
    pub fn characters(&self) -> String {
        self.0.iter().collect()
    }
}

/// A batch: the tokens that the model sees, and the next token of each; `[batch, block]` both.
pub struct Batch {
    pub inputs: Vec<i64>,
    pub targets: Vec<i64>,
    pub shape: [usize; 2],
}

impl Batch {
    pub fn to_tensors(&self, device: &Device) -> (Tensor<2, Int>, Tensor<1, Int>) {
        let inputs = TensorData::new(self.inputs.clone(), self.shape);
        let targets = TensorData::new(self.targets.clone(), [self.targets.len()]);
        (Tensor::from_data(inputs, device), Tensor::from_data(targets, device))
    }

    /// The blocks of a text that start at these places.
    fn of_blocks(text: &[i64], starts: &[usize], block: usize) -> Self {
        let blocks =
            |offset: usize| starts.iter().flat_map(|&start| &text[start + offset..][..block]).copied().collect();
        Self { inputs: blocks(0), targets: blocks(1), shape: [starts.len(), block] }
    }
}

/// A text. Its last tenth is for validation.
pub struct Text {
    pub vocabulary: Vocabulary,
    /// What was changed in it, for the user.
    pub note: Option<String>,
    /// Its hash, after the changes.
    pub blake3: String,
    tokens: Vec<i64>,
    validation_start: usize,
}

impl Text {
    pub fn read(path: &Path) -> Result<Self> {
        let read = || {
            let mut bytes = Vec::new();
            Source::open(path)?.reader()?.read_to_end(&mut bytes)?;
            Self::of(bytes)
        };
        read().with_context(|| shown(path))
    }

    /// The text that is these bytes.
    fn of(bytes: Vec<u8>) -> Result<Self> {
        let Decoded { text, note } = decode(bytes)?;
        let vocabulary = Vocabulary::of(&text);
        let tokens = vocabulary.encode(&text)?;
        let validation_start = tokens.len() - tokens.len() / 10;
        let blake3 = blake3::hash(text.as_bytes()).to_string();
        Ok(Self { vocabulary, note, blake3, tokens, validation_start })
    }

    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn training(&self) -> &[i64] {
        &self.tokens[..self.validation_start]
    }

    pub fn validation(&self) -> &[i64] {
        &self.tokens[self.validation_start..]
    }

    /// A batch of blocks from anywhere in the training part.
    pub fn random_batch(&self, size: usize, block: usize, rng: &mut ChaCha8Rng) -> Batch {
        let text = self.training();
        let starts: Vec<usize> = (0..size).map(|_| rng.random_range(0..text.len() - block)).collect();
        Batch::of_blocks(text, &starts, block)
    }
}

/// At most `most` batches that cover a text evenly.
pub fn even_batches(text: &[i64], size: usize, block: usize, most: usize) -> Vec<Batch> {
    let blocks = (text.len() - 1) / block;
    let taken = blocks.min(most * size);
    let starts: Vec<usize> = (0..taken).map(|i| i * blocks / taken * block).collect();
    starts.chunks(size).map(|starts| Batch::of_blocks(text, starts, block)).collect()
}

/// Batches made elsewhere, one per step.
pub struct Batches {
    tokens: Vec<i64>,
    /// Steps, batch, block.
    pub shape: [usize; 3],
}

impl Batches {
    /// Tokens of shape (steps, 2, batch, block), inputs and targets, all below `vocab_size`.
    pub fn read(path: &Path, vocab_size: usize, block_size: usize) -> Result<Self> {
        let shown = path.display();
        let (shape, tokens) = read_npy_i64(path)?;
        let [steps, 2, batch, block] = *shape else {
            bail!("{shown}: expected the shape (steps, 2, batch, block), but got {shape:?}");
        };
        ensure!(!tokens.is_empty(), "{shown}: the file has no tokens");
        ensure!(block <= block_size, "{shown}: a block has {block} tokens, and the model's block_size is {block_size}");
        if let Some(token) = tokens.iter().find(|&&token| !(0..vocab_size as i64).contains(&token)) {
            bail!("{shown}: expected tokens from 0 to {}, but got {token}", vocab_size - 1);
        }
        Ok(Self { tokens, shape: [steps, batch, block] })
    }

    pub fn step(&self, step: usize) -> Batch {
        let [_, batch, block] = self.shape;
        let (inputs, targets) = self.tokens[step * 2 * batch * block..][..2 * batch * block].split_at(batch * block);
        Batch { inputs: inputs.to_vec(), targets: targets.to_vec(), shape: [batch, block] }
    }
}
