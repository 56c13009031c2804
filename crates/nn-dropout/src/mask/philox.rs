//! Our own mask, drawn from Philox4x32-10. This file is its specification; [`Mask::new`](crate::Mask::new) puts it in words.

use crate::Probability;
use crate::random::philox::philox4x32_10;

/// Elements that one Philox block decides about: sixteen bits each.
pub const BLOCK: u64 = 8;

/// How many blocks 2^64 elements have. The blocks of tie words come after them.
pub const BLOCKS: u64 = 1 << 61;

/// A mask as a pure function of (seed, layer, step, p) and an element's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PhiloxMask {
    pub seed: u64,
    pub layer: u32,
    pub step: u32,
    pub p: Probability,
}

impl PhiloxMask {
    /// Whether the element at `index` of the whole tensor is kept.
    pub fn keeps(&self, index: u64) -> bool {
        let (high, low) = self.threshold();
        let sixteen = u32::from(self.sixteen(index));
        sixteen < high || (sixteen == high && self.block(BLOCKS + index / 4)[(index % 4) as usize] < low)
    }

    /// T: what sixteen bits, and on a tie the tie word, have to be below for an element to be kept.
    pub fn threshold(&self) -> (u32, u32) {
        let threshold = ((1.0 - self.p.get()) * 2f64.powi(48)).round_ties_even() as u64;
        ((threshold >> 32) as u32, threshold as u32)
    }

    /// The sixteen bits that decide about the element at `index`, if there is no tie.
    pub fn sixteen(&self, index: u64) -> u16 {
        let lane = index % BLOCK;
        (self.block(index / BLOCK)[lane as usize / 2] >> (16 * (lane % 2))) as u16
    }

    /// The key of the Philox generator.
    pub const fn key(&self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }

    /// Four random words of this call.
    fn block(&self, number: u64) -> [u32; 4] {
        philox4x32_10([number as u32, (number >> 32) as u32, self.step, self.layer], self.key())
    }
}
