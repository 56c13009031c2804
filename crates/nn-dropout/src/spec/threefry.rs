//! Threefry-2x32 with 20 rounds, JAX's counter-based generator; its keys, and its mask. This file is the mask's specification;
//! [`Mask::jax`](crate::Mask::jax) puts it in words.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

use std::fmt;

use super::probability::Probability;

/// The number of bits by which each of eight rounds rotates; then they repeat.
pub const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];

/// The key's words, and a third one that depends on both.
pub const fn key_schedule([k0, k1]: [u32; 2]) -> [u32; 3] {
    [k0, k1, k0 ^ k1 ^ 0x1BD1_1BDA]
}

/// The two random words of one counter under one key.
pub fn threefry2x32(counter: [u32; 2], key: [u32; 2]) -> [u32; 2] {
    let schedule = key_schedule(key);
    let mut x0 = counter[0].wrapping_add(schedule[0]);
    let mut x1 = counter[1].wrapping_add(schedule[1]);
    for four in 0..5 {
        for rotation in ROTATIONS[four % 2] {
            x0 = x0.wrapping_add(x1);
            x1 = x1.rotate_left(rotation) ^ x0;
        }
        x0 = x0.wrapping_add(schedule[(four + 1) % 3]);
        x1 = x1.wrapping_add(schedule[(four + 2) % 3]).wrapping_add(four as u32 + 1);
    }
    [x0, x1]
}

/// A key of `jax.random`, from which [`Mask::jax`](crate::Mask::jax) draws: two words for Threefry-2x32, JAX's default.
///
/// ```
/// use nn_dropout::JaxKey;
///
/// // key, subkey = jax.random.split(jax.random.key(0))
/// let [key, subkey] = JaxKey::new(0).split();
/// assert_eq!(key.data(), [1797259609, 2579123966]);
/// assert_eq!(subkey.data(), [928981903, 3453687069]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JaxKey([u32; 2]);

impl JaxKey {
    /// `jax.random.key(seed)`. It has the lower 32 bits of the seed, as in JAX unless `jax_enable_x64` is on.
    pub const fn new(seed: u64) -> Self {
        Self([0, seed as u32])
    }

    /// `jax.random.wrap_key_data(data)`
    pub const fn from_data(data: [u32; 2]) -> Self {
        Self(data)
    }

    /// `jax.random.key_data(key)`
    pub const fn data(self) -> [u32; 2] {
        self.0
    }

    /// `jax.random.split(key, N)`: N new keys, to be used instead of this one. JAX splits into two by default.
    pub fn split<const N: usize>(self) -> [Self; N] {
        std::array::from_fn(|i| Self(threefry2x32([(i as u64 >> 32) as u32, i as u32], self.0)))
    }

    /// `jax.random.fold_in(key, data)`: a new key for each `data`, such as the number of a step.
    #[must_use]
    pub fn fold_in(self, data: u32) -> Self {
        Self(threefry2x32([0, data], self.0))
    }
}

impl fmt::Display for JaxKey {
    /// Its two words, as JAX prints them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0;
        write!(f, "[{first} {second}]")
    }
}

/// `jax.random.bernoulli(key, 1 - p, shape)`, for any shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JaxMask {
    pub key: JaxKey,
    pub p: Probability,
}

impl JaxMask {
    /// Whether the element with bit number `index` is kept.
    pub fn keeps(&self, index: u64) -> bool {
        let [a, b] = threefry2x32([(index >> 32) as u32, index as u32], self.key.data());
        (a ^ b) >> 9 < self.threshold()
    }

    /// JAX turns the upper 23 bits into a number in [0, 1). They have to be below this for an element to be kept.
    pub fn threshold(&self) -> u32 {
        let keep = (1.0 - self.p.get()) as f32;
        (f64::from(keep) * 2f64.powi(23)).ceil() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::threefry2x32;

    /// The known answers that come with Random123, the authors' own implementation.
    #[test]
    fn gives_the_published_words() {
        assert_eq!(threefry2x32([0; 2], [0; 2]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb9_96fc, 0xbb00_2be7]);
        let pi = threefry2x32([0x243f_6a88, 0x85a3_08d3], [0x1319_8a2e, 0x0370_7344]);
        assert_eq!(pi, [0xc492_3a9c, 0x483d_f7a0]);
    }
}
