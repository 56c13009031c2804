//! Numbers by plain loops, of which the compiler makes vector instructions: words of Philox, and what they become.

use crate::spec::number::{Distribution, normal, uniform};
use crate::spec::philox::{PhiloxMask, WORDS, philox4x32_10};

/// Draws the numbers of a mask from number `start` on. Numbers wrap around at 2^64.
#[inline(always)]
pub fn draw_numbers(mask: &PhiloxMask, distribution: Distribution, start: u64, numbers: &mut [f32]) {
    /// The number of words that are drawn at once.
    const CHUNK: usize = 256;
    let mut words = [0; CHUNK];
    // The first block may have words that are not asked for.
    let (mut block, mut skipped) = (start / 4, (start % 4) as usize);
    let mut rest = numbers;
    while !rest.is_empty() {
        draw_words(mask, block, &mut words);
        let (now, later) = rest.split_at_mut(rest.len().min(CHUNK - skipped));
        let words = &words[skipped..skipped + now.len()];
        match distribution {
            Distribution::Normal => become_numbers(normal, words, now),
            Distribution::Uniform => become_numbers(uniform, words, now),
        }
        (block, skipped, rest) = (block + CHUNK as u64 / 4, 0, later);
    }
}

/// The words of consecutive blocks.
#[inline(always)]
fn draw_words(mask: &PhiloxMask, first: u64, words: &mut [u32]) {
    for (i, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        let block = WORDS + (first + i as u64) % (1 << 62);
        *words = philox4x32_10([block as u32, (block >> 32) as u32, mask.step, mask.layer], mask.key());
    }
}

#[inline(always)]
fn become_numbers(number: impl Fn(u32) -> f32, words: &[u32], numbers: &mut [f32]) {
    for (number_of, &word) in numbers.iter_mut().zip(words) {
        *number_of = number(word);
    }
}
