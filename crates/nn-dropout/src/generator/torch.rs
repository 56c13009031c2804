//! PyTorch's generator on the CPU: one sequence of random words for everything, and its state as PyTorch saves it.

use std::error::Error;
use std::fmt;

use crate::draw::Mask;
use crate::kernel;
use crate::spec::mt19937::{Mt19937, WORDS};
use crate::spec::probability::Probability;

/// The state of PyTorch's generator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<u8>", into = "Vec<u8>"))]
pub struct TorchState {
    seed: u64,
    sequence: Box<Mt19937>,
    /// Normally distributed numbers that PyTorch has drawn in advance: unused by masks; kept so that the state round-trips.
    normals: [u8; NORMALS],
}

/// The state in bytes, as PyTorch's C++ structs lie in memory: the seed (u64), the number of words left plus one (i32), whether it
/// is seeded (i32), the position of the next word (u64), the words (u64 each), and last the normally distributed numbers.
const BYTES: usize = HEAD + 8 * WORDS + NORMALS;
const HEAD: usize = 24;
const NORMALS: usize = 40;

impl TorchState {
    /// After `torch.manual_seed(seed)`.
    pub fn new(seed: u64) -> Self {
        Self { seed, sequence: Box::new(Mt19937::new(seed as u32)), normals: [0; NORMALS] }
    }

    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The mask of `noise.bernoulli_(1 - p)`, with which PyTorch's layers draw. Nothing is drawn where p is 0 or 1, as there.
    ///
    /// An element takes two words; the lower 53 bits of the two are a number in [0, 1), and have to be below 1 - p.
    pub fn next_mask(&mut self, p: Probability, count: u64) -> Mask {
        let (all, none) = (p.get() == 0.0, p.get() == 1.0);
        let mut bits = vec![if all { 0xFF } else { 0 }; count.div_ceil(8) as usize];
        if !all && !none {
            let threshold = ((1.0 - p.get()) * 2f64.powi(53)).ceil() as u64;
            kernel::fill_bits_in_sequence(&mut self.sequence, threshold, count as usize, &mut bits);
        }
        Mask::from_bits(bits, count, p)
    }

    /// The position in PyTorch's terms: the number of words left plus one, and the position of the next word.
    fn position(&self) -> (u32, u64) {
        match self.sequence.next {
            0 => (1, 0),
            next => ((WORDS - next) as u32 + 1, next as u64),
        }
    }

    /// What `torch.get_rng_state()` returns.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (left, next) = self.position();
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(self.seed.to_le_bytes());
        bytes.extend(left.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        bytes.extend(self.sequence.words.iter().flat_map(|&word| u64::from(word).to_le_bytes()));
        bytes.extend(self.normals);
        bytes
    }

    /// From what `torch.get_rng_state()` returned.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TorchStateError> {
        let bytes: &[u8; BYTES] = bytes.try_into().map_err(|_| TorchStateError::Size(bytes.len()))?;
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at + 4)) << 32 | u64::from(u32_at(at));
        if u32_at(12) != 1 {
            return Err(TorchStateError::Content("it is not seeded"));
        }
        let next = u64_at(16);
        let mut sequence = Mt19937 { words: [0; WORDS], next: next.min(WORDS as u64) as usize };
        for (i, word) in sequence.words.iter_mut().enumerate() {
            *word = u64_at(HEAD + 8 * i).try_into().map_err(|_| TorchStateError::Content("a word has over 32 bits"))?;
        }
        let normals = std::array::from_fn(|i| bytes[BYTES - NORMALS + i]);
        let state = Self { seed: u64_at(0), sequence: Box::new(sequence), normals };
        if state.position() != (u32_at(8), next) {
            return Err(TorchStateError::Content("its position is not within the sequence"));
        }
        Ok(state)
    }
}

impl From<TorchState> for Vec<u8> {
    fn from(state: TorchState) -> Self {
        state.to_bytes()
    }
}

impl TryFrom<Vec<u8>> for TorchState {
    type Error = TorchStateError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, TorchStateError> {
        Self::from_bytes(&bytes)
    }
}

/// Bytes that `torch.get_rng_state()` cannot have returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TorchStateError {
    /// There are too few or too many of them.
    Size(usize),
    /// What is wrong with them.
    Content(&'static str),
}

impl fmt::Display for TorchStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(bytes) => write!(f, "a state of torch.get_rng_state() has {BYTES} bytes, but got {bytes}"),
            Self::Content(what) => write!(f, "no state of torch.get_rng_state(): {what}"),
        }
    }
}

impl Error for TorchStateError {}
