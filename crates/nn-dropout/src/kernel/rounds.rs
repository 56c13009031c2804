//! Philox4x32-10 and the threshold for many blocks of one mask: what all of them have in common is worked out once.

use crate::mask::PhiloxMask;
use crate::random::philox::{MULTIPLIERS, ROUNDS, WEYL, multiply};

/// The blocks of one mask whose numbers have the same upper half differ in one word of the counter alone, so half of the
/// first round and half of the second are the same for all of them.
pub(super) struct Rounds {
    pub mask: PhiloxMask,
    /// The upper half of the blocks' numbers.
    pub upper: u32,
    /// What is left of the first round: xored into the high half of `block * MULTIPLIERS[0]`.
    pub first: u32,
    /// Of the second: xored into the high half of the other product, and into the low half of the first round's.
    pub second: [u32; 2],
    /// The last word after the second round.
    pub last: u32,
    /// The keys of the other rounds.
    pub keys: [[u32; 2]; ROUNDS - 2],
    /// What sixteen bits have to be below to be kept; on a tie the tie word decides. None where all are kept.
    pub threshold: Option<u16>,
}

impl Rounds {
    pub fn new(mask: PhiloxMask, upper: u32) -> Self {
        let seed = mask.key();
        let key = |round: usize, i: usize| seed[i].wrapping_add(WEYL[i].wrapping_mul(round as u32));
        let (step_high, step_low) = multiply(mask.step, MULTIPLIERS[1]);
        let (high, last) = multiply(step_high ^ upper ^ key(0, 0), MULTIPLIERS[0]);
        Self {
            mask,
            upper,
            first: mask.layer ^ key(0, 1),
            second: [step_low ^ key(1, 0), high ^ key(1, 1)],
            last,
            keys: std::array::from_fn(|round| [key(round + 2, 0), key(round + 2, 1)]),
            threshold: u16::try_from(mask.threshold().0).ok(),
        }
    }
}
