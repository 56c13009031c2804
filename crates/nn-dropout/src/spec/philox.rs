//! Philox4x32-10, a counter-based generator, and our own mask drawn from it. This file is the mask's specification;
//! [`Mask::philox`](crate::Mask::philox) puts it in words.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

use super::probability::Probability;

pub const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
pub const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
pub const ROUNDS: usize = 10;

/// The four random words of one counter under one key.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let (high0, low0) = multiply(c0, MULTIPLIERS[0]);
        let (high1, low1) = multiply(c2, MULTIPLIERS[1]);
        [c0, c1, c2, c3] = [high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0];
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [c0, c1, c2, c3]
}

/// The high and the low word of a product.
pub fn multiply(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

/// Elements that one Philox block decides about: sixteen bits each.
pub const BLOCK: u64 = 8;

/// How many blocks 2^64 elements have. The blocks of tie words come after them.
pub const BLOCKS: u64 = 1 << 61;

/// The first block of words for numbers. It comes after the last tie word.
pub const WORDS: u64 = 3 << 61;

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

    /// The word that the number at `index` is made of.
    pub fn word(&self, index: u64) -> u32 {
        self.block(WORDS + index / 4)[(index % 4) as usize]
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

#[cfg(test)]
mod tests {
    use super::philox4x32_10;

    /// The known answers that come with Random123, the authors' own implementation.
    #[test]
    fn gives_the_published_words() {
        let zeros = philox4x32_10([0; 4], [0; 2]);
        assert_eq!(zeros, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);

        let ones = philox4x32_10([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);

        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let pi = philox4x32_10(counter, [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
