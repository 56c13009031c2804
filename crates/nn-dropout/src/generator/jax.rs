//! JAX's keys: where its masks come from.

use std::fmt;

use crate::random::threefry::threefry2x32;

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
    /// `jax.random.key(seed)`: of the seed, JAX takes the lower 32 bits unless `jax_enable_x64` is on, and so does this.
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

    /// `jax.random.split(key, N)`: as many new keys, to be used instead of this one. JAX splits into two by default.
    pub fn split<const N: usize>(self) -> [Self; N] {
        std::array::from_fn(|i| Self(threefry2x32([(i as u64 >> 32) as u32, i as u32], self.0)))
    }

    /// `jax.random.fold_in(key, data)`: a new key for each `data`, a step's number say.
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
