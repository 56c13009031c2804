//! The mask: which elements are kept, as a value.

use std::fmt;
use std::ops::Range;

use crate::kernel;
use crate::spec::mask::Family;
use crate::spec::number::Distribution;
use crate::spec::philox::PhiloxMask;
use crate::spec::probability::Probability;
use crate::spec::stored::{StoredMask, clear_after};
use crate::spec::threefry::{JaxKey, JaxMask};

/// Which elements of a tensor one call of one layer keeps, as a value of a few dozen bytes.
///
/// A mask is an endless row of bits, 1 where an element is kept. An [`Index`](crate::Index) says which bit an element gets.
///
/// [Our own masks](Self::philox) and [JAX's](Self::jax) are pure functions of a bit's number, so every element can be asked
/// about alone, on any thread, shard or device. PyTorch draws one element after the other, so a mask of [its
/// generator](crate::Generator::torch) [holds its bits](Self::from_bits), which its clones share, and has an end.
///
/// ```
/// use nn_dropout::{Mask, Probability};
///
/// let mask = Mask::philox(42, 0, 0, Probability::new(0.5)?);
/// let whole = mask.bits(0..1024);
/// assert_eq!(mask.bits(512..1024), whole[64..]);
/// assert_eq!(mask.keeps(517), whole[64] >> 5 & 1 == 1);
/// # Ok::<(), nn_dropout::ProbabilityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mask(pub(crate) Family);

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
    pub const fn philox(seed: u64, layer: u32, step: u32, p: Probability) -> Self {
        Self(Family::Philox(PhiloxMask { seed, layer, step, p }))
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
        Self(Family::Jax(JaxMask { key, p }))
    }

    /// A mask that drops with probability `p` and holds its bits: the first `count` of `bits`, packed as [`bits`](Self::bits)
    /// gives them, or all if there are fewer.
    ///
    /// ```
    /// use nn_dropout::{Mask, Probability};
    ///
    /// let mask = Mask::from_bits(vec![0b101], 3, Probability::new(0.5)?);
    /// assert_eq!([0, 1, 2, 3].map(|i| mask.keeps(i)), [true, false, true, false]);
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    pub fn from_bits(bits: Vec<u8>, count: u64, p: Probability) -> Self {
        Self(Family::Stored(StoredMask::new(bits, count, p)))
    }

    /// The same bits for another p, if the mask [holds them](Self::from_bits).
    pub(crate) fn with_p(self, p: Probability) -> Self {
        match self.0 {
            Family::Stored(mask) => Self(Family::Stored(mask.with_p(p))),
            other => Self(other),
        }
    }

    /// The probability that an element is dropped.
    pub const fn p(&self) -> Probability {
        self.0.p()
    }

    /// The seed, layer and step of one of [our own masks](Self::philox): all that a kernel elsewhere needs besides p. `None` for
    /// others.
    ///
    /// ```
    /// use nn_dropout::{Mask, Probability};
    ///
    /// let mask = Mask::philox(42, 7, 1000, Probability::new(0.5)?);
    /// assert_eq!(mask.seed_layer_step(), Some((42, 7, 1000)));
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    pub const fn seed_layer_step(&self) -> Option<(u64, u32, u32)> {
        match self.0 {
            Family::Philox(PhiloxMask { seed, layer, step, .. }) => Some((seed, layer, step)),
            _ => None,
        }
    }

    /// The key of one of [JAX's masks](Self::jax). `None` for others.
    pub const fn jax_key(&self) -> Option<JaxKey> {
        match self.0 {
            Family::Jax(JaxMask { key, .. }) => Some(key),
            _ => None,
        }
    }

    /// What random bits have to be below for an element to be kept. For [our own masks](Self::philox) these are the two words of
    /// T, the upper one first; for [JAX's](Self::jax) the first number alone counts, for the upper 23 bits. A mask that
    /// [holds its bits](Self::from_bits) has none.
    ///
    /// ```
    /// use nn_dropout::{JaxKey, Mask, Probability};
    ///
    /// let p = Probability::new(0.25)?;
    /// assert_eq!(Mask::philox(42, 0, 0, p).thresholds(), Some((3 << 14, 0)));
    /// assert_eq!(Mask::jax(JaxKey::new(42), p).thresholds(), Some((3 << 21, 0)));
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    pub fn thresholds(&self) -> Option<(u32, u32)> {
        match &self.0 {
            Family::Philox(mask) => Some(mask.threshold()),
            Family::Jax(mask) => Some((mask.threshold(), 0)),
            Family::Stored(_) => None,
        }
    }

    /// The number of bits of a mask that [holds them](Self::from_bits). `None` if unbounded.
    pub const fn count(&self) -> Option<u64> {
        match &self.0 {
            Family::Stored(mask) => Some(mask.count()),
            _ => None,
        }
    }

    /// Bit number `index`: whether the element that gets it is kept. Past the end of a mask that has one, it is 0.
    pub fn keeps(&self, index: u64) -> bool {
        self.0.keeps(index)
    }

    /// Random word number `index`, of 32 bits: what its numbers are made of. `None` for PyTorch's and JAX's masks.
    ///
    /// ```text
    /// word(i) = word i mod 4 of block(3 * 2^61 + i / 4)
    /// ```
    ///
    /// These words are independent of the mask's bits.
    pub fn word(&self, index: u64) -> Option<u32> {
        self.0.word(index)
    }

    /// Number `index` of a normal distribution with mean 0 and variance 1, made of [word](Self::word) number `index`. `None`
    /// for PyTorch's and JAX's masks.
    ///
    /// It is the quantile of the word, computed in integers, so it has the same bits on every device: a multiple of 2^-21
    /// between -6.34 and 6.34, within 6e-7 of the exact quantile. Mean and odd moments are exactly 0.
    ///
    /// ```
    /// use nn_dropout::{Mask, Probability};
    ///
    /// let mask = Mask::philox(42, 0, 0, Probability::new(0.0)?);
    /// let numbers: Vec<f64> = (0..10_000).map(|i| mask.normal(i).unwrap().into()).collect();
    /// let mean = numbers.iter().sum::<f64>() / 10_000.0;
    /// let variance = numbers.iter().map(|n| n * n).sum::<f64>() / 10_000.0;
    /// assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05);
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    pub fn normal(&self, index: u64) -> Option<f32> {
        self.word(index).map(|word| Distribution::Normal.number(word))
    }

    /// Number `index` of a uniform distribution between -1 and 1, made of [word](Self::word) number `index`: the middle of one
    /// of 2^24 equal parts. `None` for PyTorch's and JAX's masks.
    pub fn uniform(&self, index: u64) -> Option<f32> {
        self.word(index).map(|word| Distribution::Uniform.number(word))
    }

    /// The bits with numbers in `range`, packed eight to a byte, the first in the lowest bit. The last byte is filled up
    /// with 0.
    pub fn bits(&self, range: Range<u64>) -> Vec<u8> {
        let count = range.end.saturating_sub(range.start);
        let mut bits = vec![0; count.div_ceil(8) as usize];
        self.fill_bits(range.start, &mut bits);
        clear_after(count, &mut bits);
        bits
    }

    /// Fills `bits` with the `8 * bits.len()` bits from number `start` on, packed as in [`bits`](Self::bits). Numbers wrap
    /// around at 2^64.
    pub fn fill_bits(&self, start: u64, bits: &mut [u8]) {
        kernel::fill_bits(&self.0, start, bits);
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Family::Philox(PhiloxMask { seed, layer, step, p }) => {
                write!(f, "Mask(seed={seed}, layer={layer}, step={step}, p={p})")
            }
            Family::Jax(JaxMask { key, p }) => write!(f, "Mask(key={key}, p={p})"),
            Family::Stored(mask) => write!(f, "Mask(count={}, p={})", mask.count(), mask.p()),
        }
    }
}
