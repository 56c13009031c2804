//! The mask: which elements are kept, as a value.

mod jax;
mod philox;
mod stored;

use std::fmt;
use std::ops::Range;

use crate::{JaxKey, Probability, kernel};
pub(crate) use jax::JaxMask;
pub(crate) use philox::{BLOCK, BLOCKS, PhiloxMask};
pub(crate) use stored::StoredMask;

/// Which elements of a tensor one call of one layer keeps, as a value of a few dozen bytes.
///
/// [Our own masks](Self::new) and [JAX's](Self::jax) are pure functions of an element's index in the whole tensor (row-major),
/// so every element can be asked about alone, on any thread, shard or device. PyTorch draws one element after the other, so
/// a mask of [its generator](crate::Generator::torch) holds one bit an element, which its clones share.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mask(pub(crate) Kind);

/// Whose mask it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub(crate) enum Kind {
    Philox(PhiloxMask),
    Jax(JaxMask),
    Stored(StoredMask),
}

impl Mask {
    /// The mask of the `step`-th training-mode call of layer number `layer`, dropping with probability `p`.
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
    /// a promise: it never changes. Another mask would have another name.
    ///
    /// A [`Generator`](crate::Generator) keeps count of layers and steps for you.
    pub const fn new(seed: u64, layer: u32, step: u32, p: Probability) -> Self {
        Self(Kind::Philox(PhiloxMask { seed, layer, step, p }))
    }

    /// JAX's mask: `jax.random.bernoulli(key, 1 - p, shape)`, for any shape.
    ///
    /// It is JAX's with its defaults: Threefry-2x32, `jax_threefry_partitionable` on, `jax_enable_x64` off:
    ///
    /// ```text
    /// [a, b]  = Threefry-2x32-20(counter = [i high, i low], key)
    /// kept(i) = ((a ^ b) >> 9) * 2^-23 < 1 - p, rounded to f32
    /// ```
    ///
    /// ```
    /// use nn_dropout::{JaxKey, Mask, Probability};
    ///
    /// // jax.random.bernoulli(jax.random.key(0), 0.5, (8,))
    /// let mask = Mask::jax(JaxKey::new(0), Probability::new(0.5)?);
    /// let kept: Vec<bool> = (0..8).map(|i| mask.keeps(i)).collect();
    /// assert_eq!(kept, [false, false, true, true, false, true, true, false]);
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    pub const fn jax(key: JaxKey, p: Probability) -> Self {
        Self(Kind::Jax(JaxMask { key, p }))
    }

    /// The probability that an element is dropped.
    pub const fn p(&self) -> Probability {
        match &self.0 {
            Kind::Philox(mask) => mask.p,
            Kind::Jax(mask) => mask.p,
            Kind::Stored(mask) => mask.p(),
        }
    }

    /// How many elements a mask of PyTorch's has been drawn for. All others have no end.
    pub const fn count(&self) -> Option<u64> {
        match &self.0 {
            Kind::Stored(mask) => Some(mask.count()),
            _ => None,
        }
    }

    /// Whether the element at `index` of the whole tensor is kept. Past the end of a mask that has one, none is.
    pub fn keeps(&self, index: u64) -> bool {
        match &self.0 {
            Kind::Philox(mask) => mask.keeps(index),
            Kind::Jax(mask) => mask.keeps(index),
            Kind::Stored(mask) => mask.keeps(index),
        }
    }

    /// The keep bits of the elements in `range`, packed eight to a byte, the first in the lowest bit; a bit is 1
    /// where the element is kept. Bits past the end of the range are 0.
    pub fn bits(&self, range: Range<u64>) -> Vec<u8> {
        let count = range.end.saturating_sub(range.start);
        let mut bits = vec![0; count.div_ceil(8) as usize];
        self.fill_bits(range.start, &mut bits);
        clear_after(count, &mut bits);
        bits
    }

    /// Fills `bits` with the keep bits of the `8 * bits.len()` elements from index `start` on, packed as in
    /// [`bits`](Self::bits). Indices wrap around at 2^64.
    pub fn fill_bits(&self, start: u64, bits: &mut [u8]) {
        kernel::fill_bits(self, start, bits);
    }
}

/// Clears what the last byte has in excess of `count` bits.
fn clear_after(count: u64, bits: &mut [u8]) {
    if let (Some(last), used @ 1..) = (bits.last_mut(), count % 8) {
        *last &= (1 << used) - 1;
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Philox(PhiloxMask { seed, layer, step, p }) => {
                write!(f, "Mask(seed={seed}, layer={layer}, step={step}, p={p})")
            }
            Kind::Jax(JaxMask { key, p }) => write!(f, "Mask(key={key}, p={p})"),
            Kind::Stored(mask) => write!(f, "Mask(count={}, p={})", mask.count(), mask.p()),
        }
    }
}
