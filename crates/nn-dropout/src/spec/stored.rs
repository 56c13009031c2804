//! A mask as its bits, for generators that are a sequence and cannot be entered in the middle.

use std::fmt;
use std::sync::Arc;

use super::probability::Probability;

/// One bit per index, shared by all clones.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Parts"))]
pub struct StoredMask {
    /// Eight to a byte, the first in the lowest bit. There are no more bytes than needed, and bits past the last one are 0.
    bits: Arc<[u8]>,
    count: u64,
    p: Probability,
}

/// What is deserialised.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Parts {
    bits: Vec<u8>,
    count: u64,
    p: Probability,
}

#[cfg(feature = "serde")]
impl TryFrom<Parts> for StoredMask {
    type Error = String;

    fn try_from(Parts { bits, count, p }: Parts) -> Result<Self, String> {
        let bytes = bits.len();
        let mask = Self::new(bits, count, p);
        let short = || format!("a mask of {count} bits has {} bytes, but got {bytes}", count.div_ceil(8));
        if mask.count == count { Ok(mask) } else { Err(short()) }
    }
}

impl StoredMask {
    /// The first `count` of `bits`, or all if there are fewer.
    pub fn new(mut bits: Vec<u8>, count: u64, p: Probability) -> Self {
        let count = count.min(8 * bits.len() as u64);
        bits.truncate(count.div_ceil(8) as usize);
        clear_after(count, &mut bits);
        Self { bits: bits.into(), count, p }
    }

    /// The number of bits.
    pub const fn count(&self) -> u64 {
        self.count
    }

    pub const fn p(&self) -> Probability {
        self.p
    }

    /// The same bits for another p.
    pub fn with_p(self, p: Probability) -> Self {
        Self { p, ..self }
    }

    /// Bit number `index`; 0 after the last one.
    pub fn keeps(&self, index: u64) -> bool {
        self.byte(index / 8) >> (index % 8) & 1 == 1
    }

    /// Eight bits, from number `8 * index` on.
    fn byte(&self, index: u64) -> u8 {
        usize::try_from(index).ok().and_then(|index| self.bits.get(index).copied()).unwrap_or_default()
    }

    /// Copies bytes, from number `first` on; 0 after the last one.
    pub fn copy_bytes(&self, first: u64, to: &mut [u8]) {
        let first = usize::try_from(first).unwrap_or(usize::MAX).min(self.bits.len());
        let there = &self.bits[first..self.bits.len().min(first + to.len())];
        to[..there.len()].copy_from_slice(there);
        to[there.len()..].fill(0);
    }
}

impl fmt::Debug for StoredMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMask").field("count", &self.count).field("p", &self.p).finish_non_exhaustive()
    }
}

/// Clears the bits of the last byte after number `count`.
pub fn clear_after(count: u64, bits: &mut [u8]) {
    if let (Some(last), used @ 1..) = (bits.last_mut(), count % 8) {
        *last &= (1 << used) - 1;
    }
}
