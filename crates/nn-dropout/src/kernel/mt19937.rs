//! PyTorch's bits: MT19937 as plain loops, of which the compiler makes vector instructions.

use super::LANES;
use crate::spec::mt19937::{DISTANCE, Mt19937, WORDS, temper, twist};

/// Draws the next `count` bits of a sequence: each takes two words, the upper one first, and is 1 if the lower 53 bits of the
/// two are below `threshold`.
#[inline(always)]
pub fn sequence_bits(sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
    /// The number of elements whose words are read at once.
    const CHUNK: usize = 24 * LANES;
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

/// Renews all words of a sequence's state.
#[inline(always)]
fn renew(words: &mut [u32; WORDS]) {
    const LAG: usize = WORDS - DISTANCE;
    for i in 0..LAG {
        words[i] = twist(words[i], words[i + 1]) ^ words[i + DISTANCE];
    }
    // The others are made from new ones. Split off, so that the compiler sees that it may do many at once.
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
