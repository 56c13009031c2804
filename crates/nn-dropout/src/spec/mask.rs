//! A mask of any family: one bit for each index, 1 where an element is kept.

use super::philox::PhiloxMask;
use super::probability::Probability;
use super::stored::StoredMask;
use super::threefry::JaxMask;

/// How a mask's bits come about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Family {
    Philox(PhiloxMask),
    Jax(JaxMask),
    Stored(StoredMask),
}

impl Family {
    pub const fn p(&self) -> Probability {
        match self {
            Self::Philox(mask) => mask.p,
            Self::Jax(mask) => mask.p,
            Self::Stored(mask) => mask.p(),
        }
    }

    /// Bit number `index`.
    pub fn keeps(&self, index: u64) -> bool {
        match self {
            Self::Philox(mask) => mask.keeps(index),
            Self::Jax(mask) => mask.keeps(index),
            Self::Stored(mask) => mask.keeps(index),
        }
    }

    /// Whether there are words for numbers too.
    pub const fn has_words(&self) -> bool {
        matches!(self, Self::Philox(_))
    }

    /// Random word number `index`, for the families that have words.
    pub fn word(&self, index: u64) -> Option<u32> {
        match self {
            Self::Philox(mask) => Some(mask.word(index)),
            Self::Jax(_) | Self::Stored(_) => None,
        }
    }
}
