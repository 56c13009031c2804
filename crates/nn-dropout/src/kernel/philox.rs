//! Our own masks' bits: Philox4x32-10 on many blocks at once.
//!
//! What all blocks of a mask have in common is worked out once ([`Rounds`]). Then groups of blocks, as many as fill a
//! register, go through the other rounds side by side: a group's multiplications fill the time in which another waits for its
//! own. The last round gives sixteen-bit lanes in the order of the bits, and one comparison with the threshold makes a bit
//! of each. A tie, one lane in 65,536, is left to the specification.

use super::isa::Blocks;
use crate::spec::philox::{BLOCK, MULTIPLIERS, PhiloxMask, ROUNDS, WEYL, multiply};

/// The blocks of one mask whose numbers have the same upper half differ in one word of the counter alone, so half of the
/// first round and half of the second are the same for all of them.
pub struct Rounds {
    pub mask: PhiloxMask,
    /// The upper half of the blocks' numbers.
    pub upper: u32,
    /// What is left of the first round: xored into the high half of `block * MULTIPLIERS[0]`.
    pub first: u32,
    /// What is left of the second: xored into the high half of the other product, and into the low half of the first
    /// round's.
    pub second: [u32; 2],
    /// The last word after the second round.
    pub last: u32,
    /// The keys of the other rounds.
    pub keys: [[u32; 2]; ROUNDS - 2],
    /// What sixteen bits have to be below for a 1; on a tie the tie word decides. `None` where all bits are 1.
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

/// Draws the bits of `count` blocks from `first` on, with `rounds.upper` as the upper half of their numbers; and a few more.
///
/// # Safety
///
/// The CPU has the instructions of `I`, and the caller enables them. So it is for all functions below.
#[inline(always)]
pub unsafe fn draw_bits<I: Blocks, const N: usize>(rounds: &Rounds, first: u32, count: usize, bits: &mut [u8]) {
    let Some(threshold) = rounds.threshold else {
        return bits.fill(0xFF);
    };
    let mut done = 0;
    while done < count {
        let (first, bits) = (first.wrapping_add(done as u32), &mut bits[done..]);
        // SAFETY: the CPU has the instructions of `I`, which the caller enables.
        unsafe {
            if done + (N - 1) * I::BLOCKS < count {
                store_groups::<I, N>(draw_groups::<I, N>(rounds, threshold, first), bits);
                done += N * I::BLOCKS;
            } else if N > 2 && done + I::BLOCKS < count {
                store_groups::<I, 2>(draw_groups::<I, 2>(rounds, threshold, first), bits);
                done += 2 * I::BLOCKS;
            } else {
                store_groups::<I, 1>(draw_groups::<I, 1>(rounds, threshold, first), bits);
                done += I::BLOCKS;
            }
        }
    }
}

/// The bits of `N` groups of consecutive blocks, drawn side by side, so that one's multiplications fill the time
/// another waits.
#[inline(always)]
pub unsafe fn draw_groups<I: Blocks, const N: usize>(rounds: &Rounds, threshold: u16, first: u32) -> [u64; N] {
    // SAFETY: the CPU has the instructions of `I`, which the caller enables.
    unsafe {
        let lanes = philox::<I, N>(rounds, first);
        let mut kept = [0; N];
        for i in 0..N {
            kept[i] = I::below(lanes[i], threshold);
        }
        if I::any_equal(&lanes, threshold) {
            for i in 0..N {
                let first = first.wrapping_add((i * I::BLOCKS) as u32);
                kept[i] |= kept_ties(rounds, first, I::equal(lanes[i], threshold));
            }
        }
        kept
    }
}

#[inline(always)]
pub fn store_groups<I: Blocks, const N: usize>(kept: [u64; N], bits: &mut [u8]) {
    for i in 0..N {
        bits[i * I::BLOCKS..][..I::BLOCKS].copy_from_slice(&kept[i].to_le_bytes()[..I::BLOCKS]);
    }
}

/// The bits of `ties`, counted from the first of block `first`, that the tie words decide to be 1.
#[cold]
fn kept_ties(rounds: &Rounds, first: u32, ties: u64) -> u64 {
    let block = u64::from(rounds.upper) << 32 | u64::from(first);
    let kept = |i: &u64| ties >> i & 1 == 1 && rounds.mask.keeps(block.wrapping_mul(BLOCK).wrapping_add(*i));
    (0..64).filter(kept).fold(0, |bits, i| bits | 1 << i)
}

/// The lanes of N groups of consecutive blocks.
//
// Index loops and a macro, here and below: a closure has the instruction set's features, but the function that it is passed
// to does not, so neither would be inlined; and the compiler would keep a loop over the rounds.
#[inline(always)]
unsafe fn philox<I: Blocks, const N: usize>(rounds: &Rounds, first: u32) -> [I::Lanes; N] {
    // SAFETY: the CPU has the instructions of `I`, which the caller enables.
    unsafe {
        let (m0, m1) = (I::splat(MULTIPLIERS[0]), I::splat(MULTIPLIERS[1]));
        let numbers = I::add(I::ascending(), I::splat(first));
        let mut words = [[I::splat(rounds.last); 4]; N];
        for i in 0..N {
            let p0 = I::product(I::add(numbers, I::splat((i * I::BLOCKS) as u32)), m0);
            let p1 = I::product(I::xor(I::high(p0), I::splat(rounds.first)), m1);
            words[i][0] = I::xor(I::high(p1), I::splat(rounds.second[0]));
            words[i][1] = I::low(p1);
            words[i][2] = I::xor(I::low(p0), I::splat(rounds.second[1]));
        }
        macro_rules! rounds {
            ($($round:literal)*) => {$(
                let (k0, k1) = (I::splat(rounds.keys[$round][0]), I::splat(rounds.keys[$round][1]));
                let mut products = [(I::product(words[0][0], m0), I::product(words[0][2], m1)); N];
                for i in 1..N {
                    products[i] = (I::product(words[i][0], m0), I::product(words[i][2], m1));
                }
                for i in 0..N {
                    let ((p0, p1), [_, c1, _, c3]) = (products[i], words[i]);
                    words[i] = [I::xor3(I::high(p1), c1, k0), I::low(p1), I::xor3(I::high(p0), c3, k1), I::low(p0)];
                }
            )*};
        }
        rounds!(0 1 2 3 4 5 6);
        let [k0, k1] = rounds.keys[7];
        let last = |[c0, c1, c2, c3]: [I::Words; 4]| {
            let (p0, p1) = (I::product(c0, m0), I::product(c2, m1));
            I::lanes(I::pairs(p1, c1, I::splat(k0)), I::pairs(p0, c3, I::splat(k1)))
        };
        let mut lanes = [last(words[0]); N];
        for i in 1..N {
            lanes[i] = last(words[i]);
        }
        lanes
    }
}
