//! Where the keep bits of one call come from, a chunk at a time.

use super::generic::Bits;
use super::rounds::Rounds;
use crate::mask::{BLOCK, BLOCKS, JaxMask, Kind, Mask, StoredMask};

/// The loops that draw bits, compiled for one instruction set.
#[derive(Clone, Copy)]
pub(super) struct Drawers {
    pub philox: unsafe fn(&Rounds, first: u32, count: usize, &mut [u8]),
    pub jax: unsafe fn(&JaxMask, first: u64, count: usize, &mut [u8]),
}

/// The keep bits of one mask, and how elements share them.
pub(super) struct Source<'a> {
    drawers: Drawers,
    bits: Origin<'a>,
    /// How many neighbouring elements share a bit.
    share: u64,
}

enum Origin<'a> {
    Philox(Rounds),
    Jax(&'a JaxMask),
    Stored(&'a StoredMask),
}

impl<'a> Source<'a> {
    /// # Safety
    ///
    /// The CPU has the instructions of `drawers`.
    pub unsafe fn new(drawers: Drawers, mask: &'a Mask, share: u64) -> Self {
        let bits = match &mask.0 {
            Kind::Philox(mask) => Origin::Philox(Rounds::new(*mask, 0)),
            Kind::Jax(mask) => Origin::Jax(mask),
            Kind::Stored(mask) => Origin::Stored(mask),
        };
        Self { drawers, bits, share }
    }

    /// Whether a bit is drawn for each element, and by Philox.
    pub fn is_plain(&self) -> bool {
        self.share == 1 && matches!(&self.bits, Origin::Philox(rounds) if rounds.threshold.is_some())
    }

    /// The rounds and the threshold of blocks whose numbers have this upper half, where the source [is plain](Self::is_plain).
    pub fn rounds(&mut self, upper: u32) -> Option<(&Rounds, u16)> {
        match &mut self.bits {
            Origin::Philox(rounds) => {
                let rounds = with_upper(rounds, upper);
                rounds.threshold.map(|threshold| (rounds, threshold))
            }
            _ => None,
        }
    }

    /// Draws the keep bits of `count` elements from number `start` on, at most a chunk.
    pub fn draw(&mut self, start: u64, count: usize, bits: &mut Bits) {
        if self.share == 1 {
            return self.draw_own(start, count, bits);
        }
        let (first, offset) = (start / self.share, start % self.share);
        let mut own: Bits = [0; _];
        self.draw_own(first, (offset.saturating_add(count as u64)).div_ceil(self.share) as usize, &mut own);
        bits.fill(0);
        let (mut i, mut left) = (0, self.share - offset);
        for bit in 0.. {
            let after = (i as u64).saturating_add(left).min(count as u64) as usize;
            if own[bit / 8] >> (bit % 8) & 1 == 1 {
                set(bits, i, after);
            }
            if after == count {
                break;
            }
            (i, left) = (after, self.share);
        }
    }

    /// Draws `count` of the mask's own bits from number `start` on.
    fn draw_own(&mut self, start: u64, count: usize, bits: &mut Bits) {
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

    /// Draws bits eight by eight, from the eight with number `first` on.
    fn draw_blocks(&mut self, first: u64, count: usize, bits: &mut [u8]) {
        match &mut self.bits {
            Origin::Philox(rounds) => {
                let alike = (count as u64).min((1 << 32) - (first & 0xFFFF_FFFF)) as usize;
                let rounds = with_upper(rounds, (first >> 32) as u32);
                // SAFETY: whoever made `self` knows that the CPU can do it.
                unsafe { (self.drawers.philox)(rounds, first as u32, alike, bits) };
                if alike < count {
                    // Of the blocks drawn in excess the first ones are wrong.
                    self.draw_blocks((first + alike as u64) % BLOCKS, count - alike, &mut bits[alike..]);
                }
            }
            // SAFETY: as above.
            Origin::Jax(mask) => unsafe { (self.drawers.jax)(mask, first, count, bits) },
            Origin::Stored(mask) => mask.copy_bytes(first, &mut bits[..count]),
        }
    }
}

fn with_upper(rounds: &mut Rounds, upper: u32) -> &Rounds {
    if rounds.upper != upper {
        *rounds = Rounds::new(rounds.mask, upper);
    }
    rounds
}

/// Sets the bits from number `from` to before number `to`.
fn set(bits: &mut Bits, mut from: usize, to: usize) {
    const AT_ONCE: usize = 56;
    while from < to {
        let count = AT_ONCE.min(to - from);
        let word: &mut [u8; 8] = (&mut bits[from / 8..from / 8 + 8]).try_into().expect("eight bytes");
        *word = (u64::from_le_bytes(*word) | ((1 << count) - 1) << (from % 8)).to_le_bytes();
        from += count;
    }
}
