//! The mask: which elements are kept, as a value. This file is its specification.

use std::fmt;
use std::ops::Range;

use crate::philox::philox4x32_10;
use crate::{Probability, kernel};

/// Elements that one Philox block decides about: sixteen bits each.
pub(crate) const BLOCK: u64 = 8;

/// How many blocks 2^64 elements have. The blocks of tie words come after them.
pub(crate) const BLOCKS: u64 = 1 << 61;

/// Which elements of a tensor one call of one layer keeps: a pure function of (seed, layer, step, p) and
/// the element's index in the whole tensor (row-major).
///
/// It is drawn from Philox4x32-10, laid out as cuRAND lays it out, so that other tools can draw it too:
///
/// ```text
/// block(b)   = Philox4x32-10(counter = [b low, b high, step, layer], key = seed)      four 32-bit words
///            = curand4() of curand_init(seed, subsequence = layer << 32 | step, offset = 4 b)
/// sixteen(i) = 16-bit lane i mod 8 of block(i / 8); lane j is word j / 2, its low half when j is even
/// tie(i)     = word i mod 4 of block(2^61 + i / 4)
/// T          = (1 - p) * 2^48, rounded half to even
/// kept(i)    = sixteen(i) < T >> 32   or   (sixteen(i) = T >> 32  and  tie(i) < T mod 2^32)
/// ```
///
/// Every index is independent of every other, and the probability is exact to 2^-48. This definition is
/// a promise: it never changes. Another mask would be another type with another name.
///
/// ```
/// use nn_dropout::{Mask, Probability};
///
/// let mask = Mask::new(42, 0, 0, Probability::new(0.5)?);
/// let whole = mask.bits(0..1024);
/// assert_eq!(mask.bits(512..1024), whole[64..]);
/// assert_eq!(mask.keeps(517), whole[64] >> 5 & 1 == 1);
/// # Ok::<(), nn_dropout::ProbabilityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mask {
    seed: u64,
    layer: u32,
    step: u32,
    p: Probability,
}

impl Mask {
    /// The mask of the `step`-th training-mode call of layer number `layer`, dropping with probability `p`.
    ///
    /// A [`Generator`](crate::Generator) keeps count of layers and steps for you.
    pub const fn new(seed: u64, layer: u32, step: u32, p: Probability) -> Self {
        Self { seed, layer, step, p }
    }

    /// The seed: the key of the Philox generator.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The layer's number.
    pub const fn layer(&self) -> u32 {
        self.layer
    }

    /// The number of the layer's training-mode call.
    pub const fn step(&self) -> u32 {
        self.step
    }

    /// The probability that an element is dropped.
    pub const fn p(&self) -> Probability {
        self.p
    }

    /// Whether the element at `index` of the whole tensor is kept.
    pub fn keeps(&self, index: u64) -> bool {
        let (high, low) = self.threshold();
        let sixteen = u32::from(self.sixteen(index));
        sixteen < high || (sixteen == high && self.block(BLOCKS + index / 4)[(index % 4) as usize] < low)
    }

    /// The keep bits of the elements in `range`, packed eight to a byte, the first in the lowest bit; a bit is 1
    /// where the element is kept. Bits past the end of the range are 0.
    pub fn bits(&self, range: Range<u64>) -> Vec<u8> {
        let count = range.end.saturating_sub(range.start);
        let mut bits = vec![0; count.div_ceil(8) as usize];
        self.fill_bits(range.start, &mut bits);
        if let (Some(last), used @ 1..) = (bits.last_mut(), count % 8) {
            *last &= (1 << used) - 1;
        }
        bits
    }

    /// Fills `bits` with the keep bits of the `8 * bits.len()` elements from index `start` on, packed as in
    /// [`bits`](Self::bits). Indices wrap around at 2^64.
    pub fn fill_bits(&self, start: u64, bits: &mut [u8]) {
        kernel::fill_bits(*self, start, bits);
    }

    /// T: what sixteen bits, and on a tie the tie word, have to be below for an element to be kept.
    pub(crate) fn threshold(&self) -> (u32, u32) {
        let threshold = ((1.0 - self.p.get()) * 2f64.powi(48)).round_ties_even() as u64;
        ((threshold >> 32) as u32, threshold as u32)
    }

    /// The sixteen bits that decide about the element at `index`, if there is no tie.
    pub(crate) fn sixteen(&self, index: u64) -> u16 {
        let lane = index % BLOCK;
        (self.block(index / BLOCK)[lane as usize / 2] >> (16 * (lane % 2))) as u16
    }

    /// The key of the Philox generator.
    pub(crate) const fn key(&self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }

    /// Four random words of this call.
    fn block(&self, number: u64) -> [u32; 4] {
        philox4x32_10([number as u32, (number >> 32) as u32, self.step, self.layer], self.key())
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, layer, step, p } = self;
        write!(f, "Mask(seed={seed}, layer={layer}, step={step}, p={p})")
    }
}
