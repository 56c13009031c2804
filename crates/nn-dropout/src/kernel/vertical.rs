//! Keep bits by other people's generators: plain loops over many lanes, from which the compiler makes vector instructions.

use super::generic::Bits;
use crate::mask::{BLOCK, JaxMask};
use crate::random::mt19937::{DISTANCE, Mt19937, WORDS, temper, twist};
use crate::random::threefry::{ROTATIONS, key_schedule};

/// How many elements have their bits drawn at once.
const LANES: usize = 64;

/// Draws the keep bits of `8 * count` elements from number `8 * first` on by [`JaxMask`]'s rule, and a few more.
#[inline(always)]
pub(super) fn jax_bits(mask: &JaxMask, first: u64, count: usize, bits: &mut [u8]) {
    let (schedule, threshold) = (key_schedule(mask.key.data()), mask.threshold());
    for done in (0..count).step_by(LANES / 8) {
        let index = first.wrapping_add(done as u64).wrapping_mul(BLOCK);
        let (mut x0, mut x1) = ([0_u32; LANES], [0_u32; LANES]);
        for i in 0..LANES {
            let index = index.wrapping_add(i as u64);
            x0[i] = ((index >> 32) as u32).wrapping_add(schedule[0]);
            x1[i] = (index as u32).wrapping_add(schedule[1]);
        }
        for four in 0..5 {
            for rotation in ROTATIONS[four % 2] {
                for i in 0..LANES {
                    x0[i] = x0[i].wrapping_add(x1[i]);
                    x1[i] = x1[i].rotate_left(rotation) ^ x0[i];
                }
            }
            for i in 0..LANES {
                x0[i] = x0[i].wrapping_add(schedule[(four + 1) % 3]);
                x1[i] = x1[i].wrapping_add(schedule[(four + 2) % 3]).wrapping_add(four as u32 + 1);
            }
        }
        let mut kept = 0;
        for i in 0..LANES {
            kept |= u64::from((x0[i] ^ x1[i]) >> 9 < threshold) << i;
        }
        bits[done..done + LANES / 8].copy_from_slice(&kept.to_le_bytes());
    }
}

/// Draws the keep bits of the next `count` elements in a sequence: an element takes two words, the upper one first, and is
/// kept if the lower 53 bits of the two are below `threshold`.
#[inline(always)]
pub(super) fn sequence_bits(sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
    /// A multiple of `LANES`.
    const CHUNK: usize = 8 * size_of::<Bits>() / LANES * LANES;
    let mut words = [0; 2 * CHUNK];
    for (start, bits) in (0..count).step_by(CHUNK).zip(bits.chunks_mut(CHUNK / 8)) {
        let count = CHUNK.min(count - start);
        read(sequence, &mut words[..2 * count]);
        for (words, bits) in words.chunks_exact(2 * LANES).zip(bits.chunks_mut(LANES / 8)) {
            let mut kept = 0;
            for i in 0..LANES {
                let number = u64::from(words[2 * i] & 0x1F_FFFF) << 32 | u64::from(words[2 * i + 1]);
                kept |= u64::from(number < threshold) << i;
            }
            bits.copy_from_slice(&kept.to_le_bytes()[..bits.len()]);
        }
    }
}

/// Reads the next words of a sequence.
#[inline(always)]
fn read(sequence: &mut Mt19937, mut words: &mut [u32]) {
    while !words.is_empty() {
        if sequence.is_used_up() {
            renew(&mut sequence.words);
            sequence.next = 0;
        }
        let count = words.len().min(WORDS - sequence.next);
        let (now, later) = words.split_at_mut(count);
        let from = &sequence.words[sequence.next..sequence.next + count];
        for i in 0..count {
            now[i] = temper(from[i]);
        }
        sequence.next += count;
        words = later;
    }
}

/// Makes all words of a sequence's state anew.
#[inline(always)]
fn renew(words: &mut [u32; WORDS]) {
    const LAG: usize = WORDS - DISTANCE;
    for i in 0..LAG {
        words[i] = twist(words[i], words[i + 1]) ^ words[i + DISTANCE];
    }
    // The others are made from new ones: apart from them, so that the compiler sees that it may do many at once.
    let (new, old) = words.split_at_mut(LAG);
    for i in 0..LAG {
        old[i] = twist(old[i], old[i + 1]) ^ new[i];
    }
    let (new, old) = words.split_at_mut(2 * LAG);
    for i in 0..DISTANCE - LAG - 1 {
        old[i] = twist(old[i], old[i + 1]) ^ new[LAG + i];
    }
    words[WORDS - 1] = twist(words[WORDS - 1], words[0]) ^ words[DISTANCE - 1];
}
