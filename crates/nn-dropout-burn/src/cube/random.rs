//! Bits and numbers in registers of a GPU, from 32-bit operations alone: not every device has more.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::std::tensor::layout::linear::LinearView;

use super::plan::Family;

/// What bits and numbers are drawn from. Its meaning depends on the [`Family`].
#[derive(CubeType, CubeLaunch, Clone, Copy)]
#[expand(derive(Clone, Copy))]
pub struct Stream {
    /// The seed of Philox, or the key of Threefry.
    key0: u32,
    key1: u32,
    step: u32,
    layer: u32,
    /// An element is kept where its bits are below this, and on a tie those of the next word below `low`.
    high: u32,
    low: u32,
}

/// The eight bits from number `8 * block` on, the first in the lowest place.
#[cube]
pub fn eight_bits(
    block: (u32, u32),
    stream: &Stream,
    words: &ComptimeOption<LinearView<'_, u32>>,
    #[comptime] family: Family,
) -> u32 {
    match comptime!(family) {
        Family::Philox { ties } => eight_of_philox(block, stream, ties),
        Family::Threefry => eight_of_threefry(block, stream),
        Family::Held => eight_held(block, words),
    }
}

#[cube]
fn eight_of_philox(block: (u32, u32), stream: &Stream, #[comptime] ties: bool) -> u32 {
    let words = philox(block, stream);
    let mut eight = 0u32;
    let mut equal = 0u32;
    #[unroll]
    for j in 0..comptime!(4usize) {
        let word = words[j];
        let (first, second) = (word & 0xFFFFu32, word >> 16u32);
        let place = comptime!(2 * j as u32);
        eight |= u32::cast_from(first < stream.high) << place;
        eight |= u32::cast_from(second < stream.high) << comptime!(place + 1);
        equal |= u32::cast_from(first == stream.high) << place;
        equal |= u32::cast_from(second == stream.high) << comptime!(place + 1);
    }
    if comptime!(ties) {
        // One element in 65,536.
        if equal != 0u32 {
            for half in 0..2u32 {
                // Block 2^61 + 2 * block + half.
                let low = block.0 << 1u32 | half;
                let high = (block.1 << 1u32 | block.0 >> 31u32) + 0x2000_0000u32;
                let words = philox((low, high), stream);
                #[unroll]
                for j in 0..comptime!(4usize) {
                    let place = 4u32 * half + comptime!(j as u32);
                    eight |= (u32::cast_from(words[j] < stream.low) << place) & equal;
                }
            }
        }
    }
    eight
}

#[cube]
fn eight_of_threefry(block: (u32, u32), stream: &Stream) -> u32 {
    let mut eight = 0u32;
    for lane in 0..8u32 {
        let low = block.0 << 3u32 | lane;
        let high = block.1 << 3u32 | block.0 >> 29u32;
        let bits = threefry(high, low, stream.key0, stream.key1);
        eight |= u32::cast_from((bits >> 9u32) < stream.high) << lane;
    }
    eight
}

#[cube]
fn eight_held(block: (u32, u32), words: &ComptimeOption<LinearView<'_, u32>>) -> u32 {
    #[comptime]
    match words {
        ComptimeOption::Some(words) => {
            let word = words.read_checked((block.0 >> 2u32) as usize);
            (word >> (8u32 * (block.0 & 3u32))) & 0xFFu32
        }
        ComptimeOption::None => 0u32,
    }
}

/// The four words from number `4 * block` on, for numbers.
#[cube]
pub fn four_words(block: (u32, u32), stream: &Stream) -> Sequence<u32> {
    philox((block.0, (block.1 & 0x3FFF_FFFFu32) + 0x6000_0000u32), stream)
}

/// Philox4x32-10: the four words of a block.
#[cube]
fn philox(block: (u32, u32), stream: &Stream) -> Sequence<u32> {
    let (mut c0, mut c1, mut c2, mut c3) = (block.0, block.1, stream.step, stream.layer);
    let (mut k0, mut k1) = (stream.key0, stream.key1);
    #[unroll]
    for _ in 0..comptime!(10u32) {
        let high0 = u32::mul_hi(c0, 0xD251_1F53u32);
        let low0 = c0 * 0xD251_1F53u32;
        let high1 = u32::mul_hi(c2, 0xCD9E_8D57u32);
        let low1 = c2 * 0xCD9E_8D57u32;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E37_79B9u32;
        k1 += 0xBB67_AE85u32;
    }
    let mut words = Sequence::new();
    words.push(c0);
    words.push(c1);
    words.push(c2);
    words.push(c3);
    words
}

/// Threefry-2x32-20: the exclusive or of both words of a counter.
#[cube]
fn threefry(high: u32, low: u32, key0: u32, key1: u32) -> u32 {
    let key2 = key0 ^ key1 ^ 0x1BD1_1BDAu32;
    let (mut x0, mut x1) = (high + key0, low + key1);
    #[unroll]
    for four in 0..comptime!(5u32) {
        #[unroll]
        for round in 0..comptime!(4usize) {
            let rotation = comptime!(rotation_of(four, round));
            x0 += x1;
            x1 = (x1 << rotation | x1 >> comptime!(32 - rotation)) ^ x0;
        }
        let (add0, add1) = match comptime!(four % 3) {
            0 => (key1, key2),
            1 => (key2, key0),
            _ => (key0, key1),
        };
        x0 += add0;
        x1 += add1 + comptime!(four + 1);
    }
    x0 ^ x1
}

/// By how many bits Threefry rotates.
fn rotation_of(four: u32, round: usize) -> u32 {
    [[13, 15, 26, 6], [17, 29, 16, 24]][four as usize % 2][round]
}

/// The uniform number that a word becomes.
#[cube]
pub fn uniform(word: u32) -> f32 {
    f32::cast_from((i32::reinterpret(word) >> 8i32) * 2i32 + 1i32) * 5.960_464_5e-8f32
}

/// The normal number that a word becomes.
#[cube]
pub fn normal(word: u32, pieces: &ComptimeOption<LinearView<'_, u32>>) -> f32 {
    let pieces = pieces.as_ref().unwrap();
    let odd = word << 1u32 | 1u32;
    let octave = u32::leading_zeros(odd);
    let below_top = !(odd << octave);
    let piece = 4u32 * (octave * 8u32 + (below_top >> 28u32));
    let place = below_top << 4u32;
    let mut size = u32::mul_hi(pieces.read((piece + 3u32) as usize), place);
    size = u32::mul_hi(pieces.read((piece + 2u32) as usize) + size, place);
    size = u32::mul_hi(pieces.read((piece + 1u32) as usize) + size, place);
    size += pieces.read(piece as usize);
    let magnitude = f32::cast_from((size + 128u32) >> 8u32) * 4.768_371_6e-7f32;
    f32::reinterpret(u32::reinterpret(magnitude) | (word & 0x8000_0000u32))
}
