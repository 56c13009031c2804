//! Numbers drawn from a word of 32 random bits, in integer arithmetic: the same bits on every device.

#![allow(clippy::inline_always, reason = "the kernels' loops over these functions have features of their own")]

/// How numbers are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Distribution {
    /// The normal distribution with mean 0 and variance 1, as multiples of 2^-21 between -6.34 and 6.34.
    Normal,
    /// Uniform between -1 and 1, as odd multiples of 2^-24.
    Uniform,
}

impl Distribution {
    /// What [normal](Self::Normal) numbers are made of, for a kernel elsewhere: the coefficients of 256 cubic polynomials. See
    /// the page on the mask.
    pub const NORMAL_PIECES: &'static [[u32; 4]; 256] = &PIECES;

    /// The number that a word becomes. It is exact in `f32`.
    #[inline(always)]
    pub fn number(self, word: u32) -> f32 {
        match self {
            Self::Normal => normal(word),
            Self::Uniform => uniform(word),
        }
    }
}

/// Eight cubic polynomials for each octave of the tail's probability: their coefficients in units of 2^-29, the lowest power
/// first. `tests/fixtures/make_normal.py` made them.
#[allow(clippy::unreadable_literal, reason = "they are JSON too")]
static PIECES: [[u32; 4]; 256] = include!("normal.json");

/// The sign is the highest bit. The others say how probable what lies further out is: `(2 * bits + 1) / 2^33`. The number is
/// the quantile of that probability, within 6e-7.
#[inline(always)]
pub fn normal(word: u32) -> f32 {
    let odd = word << 1 | 1;
    let octave = odd.leading_zeros();
    // How far below the top of the octave, in units of 2^-31 of its size.
    let below_top = !(odd << octave);
    let [c0, c1, c2, c3] = PIECES[(octave << 3 | below_top >> 28) as usize & 255];
    let place = u64::from(below_top << 4);
    let times_place = |coefficient: u32| ((u64::from(coefficient) * place) >> 32) as u32;
    let size = c0 + times_place(c1 + times_place(c2 + times_place(c3)));
    let rounded = (size + (1 << 7)) >> 8;
    let magnitude = rounded as f32 / (1 << 21) as f32;
    f32::from_bits(magnitude.to_bits() | word & 1 << 31)
}

/// The middle of one of 2^24 equal parts.
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    (word.cast_signed() >> 8 << 1 | 1) as f32 / (1 << 24) as f32
}
