//! Philox4x32-10 and the threshold for many blocks of one mask: what all of them have in common is worked out once.

use super::generic::Bits;
use crate::mask::{BLOCK, BLOCKS, Mask};
use crate::philox::{MULTIPLIERS, ROUNDS, WEYL, multiply};

/// The blocks of one mask whose numbers have the same upper half differ in one word of the counter alone, so half of the
/// first round and half of the second are the same for all of them.
pub(super) struct Rounds {
    pub mask: Mask,
    /// The upper half of the blocks' numbers.
    pub upper: u32,
    /// What is left of the first round: xored into the high half of `block * MULTIPLIERS[0]`.
    pub first: u32,
    /// Of the second: xored into the high half of the other product, and into the low half of the first round's.
    pub second: [u32; 2],
    /// The last word after the second round.
    pub last: u32,
    /// The keys of the other rounds.
    pub keys: [[u32; 2]; ROUNDS - 2],
    /// What sixteen bits have to be below to be kept; on a tie the tie word decides. None where all are kept.
    pub threshold: Option<u16>,
}

impl Rounds {
    fn new(mask: Mask, upper: u32) -> Self {
        let seed = mask.key();
        let key = |round: usize, i: usize| seed[i].wrapping_add(WEYL[i].wrapping_mul(round as u32));
        let (step_high, step_low) = multiply(mask.step(), MULTIPLIERS[1]);
        let (high, last) = multiply(step_high ^ upper ^ key(0, 0), MULTIPLIERS[0]);
        Self {
            mask,
            upper,
            first: mask.layer() ^ key(0, 1),
            second: [step_low ^ key(1, 0), high ^ key(1, 1)],
            last,
            keys: std::array::from_fn(|round| [key(round + 2, 0), key(round + 2, 1)]),
            threshold: u16::try_from(mask.threshold().0).ok(),
        }
    }
}

/// Where the keep bits of one mask come from.
pub(super) struct Source {
    draw_bits: DrawBits,
    rounds: Rounds,
}

/// See [`generic::draw_bits`](super::generic::draw_bits).
pub(super) type DrawBits = unsafe fn(&Rounds, first: u32, count: usize, &mut [u8]);

impl Source {
    /// # Safety
    ///
    /// The CPU has the instructions of `draw_bits`.
    pub unsafe fn new(draw_bits: DrawBits, mask: Mask) -> Self {
        Self { draw_bits, rounds: Rounds::new(mask, 0) }
    }

    /// Whether p is so small that every element is kept.
    pub fn keeps_all(&self) -> bool {
        self.rounds.threshold.is_none()
    }

    /// The rounds of blocks whose numbers have this upper half.
    pub fn rounds(&mut self, upper: u32) -> &Rounds {
        if self.rounds.upper != upper {
            self.rounds = Rounds::new(self.rounds.mask, upper);
        }
        &self.rounds
    }

    /// Draws the keep bits of `count` elements from number `start` on, at most a chunk.
    pub fn draw(&mut self, start: u64, count: usize, bits: &mut Bits) {
        let shift = (start % BLOCK) as usize;
        let blocks = (shift + count).div_ceil(BLOCK as usize);
        self.draw_blocks(start / BLOCK, blocks, bits);
        if shift > 0 {
            for i in (0..blocks).step_by(8) {
                let mut word = [0; 16];
                word.copy_from_slice(&bits[i..i + 16]);
                bits[i..i + 8].copy_from_slice(&((u128::from_le_bytes(word) >> shift) as u64).to_le_bytes());
            }
        }
    }

    fn draw_blocks(&mut self, first: u64, count: usize, bits: &mut [u8]) {
        let alike = (count as u64).min((1 << 32) - (first & 0xFFFF_FFFF)) as usize;
        let draw_bits = self.draw_bits;
        // SAFETY: whoever made `self` knows that the CPU can do it.
        unsafe { draw_bits(self.rounds((first >> 32) as u32), first as u32, alike, bits) };
        if alike < count {
            // Of the blocks drawn in excess the first ones are wrong.
            self.draw_blocks((first + alike as u64) % BLOCKS, count - alike, &mut bits[alike..]);
        }
    }
}
