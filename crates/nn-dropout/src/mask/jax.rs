//! JAX's mask. This file is its specification; [`Mask::jax`](crate::Mask::jax) puts it in words.

use crate::random::threefry::threefry2x32;
use crate::{JaxKey, Probability};

/// `jax.random.bernoulli(key, 1 - p, shape)`, for any shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JaxMask {
    pub key: JaxKey,
    pub p: Probability,
}

impl JaxMask {
    /// Whether the element at `index` of the whole tensor is kept.
    pub fn keeps(&self, index: u64) -> bool {
        let [a, b] = threefry2x32([(index >> 32) as u32, index as u32], self.key.data());
        (a ^ b) >> 9 < self.threshold()
    }

    /// What the upper 23 bits, which JAX makes a number in [0, 1) of, have to be below for an element to be kept.
    pub fn threshold(&self) -> u32 {
        let keep = (1.0 - self.p.get()) as f32;
        (f64::from(keep) * 2f64.powi(23)).ceil() as u32
    }
}
