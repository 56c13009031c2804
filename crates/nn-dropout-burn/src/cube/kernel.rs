//! The noise on GPUs: a kernel whose unit draws the bits of eight elements and keeps them in registers.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::ir::ElemType;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::std::FastDivmod;
use burn_cubecl::cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use nn_dropout::Distribution;

use super::plan::{Formula, Plan, Unit};
use super::random::{Stream, eight_bits, four_words, normal, uniform};

/// The index map of a launch: that of its elements, or of its units where these are blocks or share their bit. The fastest axis
/// comes first. All numbers that may need 64 bits are two words.
#[derive(CubeType, CubeLaunch)]
pub struct Map {
    start_low: u32,
    start_high: u32,
    /// All but the slowest axis's.
    sizes: Sequence<FastDivmod<u32>>,
    strides_low: Sequence<u32>,
    strides_high: Sequence<u32>,
}

/// What the formula computes with: see [`Numbers`](super::plan::Numbers).
#[derive(CubeType, CubeLaunch)]
pub struct Amounts {
    first: InputScalar,
    second: InputScalar,
    third: InputScalar,
    fourth: InputScalar,
    /// A 0 that the compiler does not know: see [`unfused`].
    zero: u32,
}

/// Writes the noisy `input` to `output`: `count` vectors, from number `first` on. The first unit leaves `skip` vectors out.
/// `words` are the bits, if the mask holds them, or what normal numbers are made of.
#[cube(launch_unchecked, address_type = "dynamic")]
pub fn noise<F: Float, W: Float, N: Size>(
    input: LinearView<'_, Vector<F, N>>,
    mut output: LinearViewMut<'_, Vector<F, N>>,
    words: ComptimeOption<LinearView<'_, u32>>,
    first: usize,
    count: u32,
    skip: u32,
    map: Map,
    stream: Stream,
    amounts: Amounts,
    #[comptime] plan: Plan,
    #[define(F)] _dtype: ElemType,
    #[define(W)] _computed_in: ElemType,
) {
    let unit = ABSOLUTE_POS as u32;
    let eight = bits_of_unit(unit, &map, &stream, &words, plan);
    let numbers = numbers_of_unit(unit, &map, &stream, &words, plan);
    let vectors = comptime!(8 / plan.vector);
    #[unroll]
    for v in 0..vectors {
        // What would be below 0 is far above the count.
        let vector = unit * comptime!(vectors as u32) + comptime!(v as u32) - skip;
        if vector < count {
            let at = first + vector as usize;
            let x = input.read(at);
            let bits = eight >> comptime!((v * plan.vector) as u32);
            output.write(at, noisy::<F, W, N>(x, bits, &numbers, &amounts, comptime!(v * plan.vector), plan));
        }
    }
}

/// A noisy vector. It has the lowest of the bits, and the numbers from number `at` on. Operations are rounded one by one.
#[cube]
fn noisy<F: Float, W: Float, N: Size>(
    x: Vector<F, N>,
    bits: u32,
    numbers: &Sequence<f32>,
    amounts: &Amounts,
    #[comptime] at: usize,
    #[comptime] plan: Plan,
) -> Vector<F, N> {
    let wide = Vector::<W, N>::cast_from(x);
    let (first, second) = (amounts.first.get::<W>(), amounts.second.get::<W>());
    match comptime!(plan.formula) {
        Formula::Scale => Vector::cast_from(wide * picked::<W, N>(bits, first, second, plan)),
        Formula::ScaleAndShift => {
            let product = wide * picked::<W, N>(bits, first, second, plan);
            let product = rounded::<F, W, N>(product, amounts.zero, plan);
            let (third, fourth) = (amounts.third.get::<W>(), amounts.fourth.get::<W>());
            Vector::cast_from(product + picked::<W, N>(bits, third, fourth, plan))
        }
        Formula::Divide => {
            let quotient = wide / Vector::new(first);
            let mut result = Vector::<W, N>::empty();
            #[unroll]
            for j in 0..comptime!(plan.vector) {
                result.insert(j, select(is_kept(bits, j), quotient.extract(j), second));
            }
            Vector::cast_from(result)
        }
        Formula::MultiplyBy(_) => {
            Vector::cast_from(wide * sums::<F, W, N>(numbers, first, second, amounts.zero, at, plan))
        }
        Formula::Add(_) => Vector::cast_from(wide + sums::<F, W, N>(numbers, first, second, amounts.zero, at, plan)),
    }
}

/// One of two numbers for each element.
#[cube]
fn picked<W: Float, N: Size>(bits: u32, kept: W, dropped: W, #[comptime] plan: Plan) -> Vector<W, N> {
    let mut picked = Vector::<W, N>::empty();
    #[unroll]
    for j in 0..comptime!(plan.vector) {
        picked.insert(j, select(is_kept(bits, j), kept, dropped));
    }
    picked
}

#[cube]
fn is_kept(bits: u32, #[comptime] j: usize) -> bool {
    (bits >> comptime!(j as u32)) & 1u32 != 0u32
}

/// `base + amount * number` for each element, as an element of the tensor.
#[cube]
fn sums<F: Float, W: Float, N: Size>(
    numbers: &Sequence<f32>,
    base: W,
    amount: W,
    zero: u32,
    #[comptime] at: usize,
    #[comptime] plan: Plan,
) -> Vector<W, N> {
    let mut products = Vector::<W, N>::empty();
    #[unroll]
    for j in 0..comptime!(plan.vector) {
        products.insert(j, amount * W::cast_from(numbers[comptime!(at + j)]));
    }
    let products = unfused::<W, N>(products, zero, plan);
    Vector::cast_from(Vector::<F, N>::cast_from(Vector::new(base) + products))
}

/// A product as an element of the tensor, in the type that is computed in.
#[cube]
fn rounded<F: Float, W: Float, N: Size>(product: Vector<W, N>, zero: u32, #[comptime] plan: Plan) -> Vector<W, N> {
    unfused::<W, N>(Vector::cast_from(Vector::<F, N>::cast_from(product)), zero, plan)
}

/// A product that no compiler makes one operation of with the sum that it becomes part of: its bits are changed by a number that
/// happens to be 0.
#[cube]
fn unfused<W: Float, N: Size>(product: Vector<W, N>, zero: u32, #[comptime] plan: Plan) -> Vector<W, N> {
    if comptime!(plan.double) {
        let bits = Vector::<u64, N>::reinterpret(product) ^ Vector::new(u64::cast_from(zero));
        Vector::<W, N>::reinterpret(bits)
    } else {
        Vector::<W, N>::reinterpret(Vector::<u32, N>::reinterpret(product) ^ Vector::new(zero))
    }
}

/// The bits of a unit's elements, the first in the lowest place.
#[cube]
fn bits_of_unit(
    unit: u32,
    map: &Map,
    stream: &Stream,
    words: &ComptimeOption<LinearView<'_, u32>>,
    #[comptime] plan: Plan,
) -> u32 {
    let mut eight = 0u32;
    if comptime!(!plan.takes_numbers()) {
        match comptime!(plan.unit) {
            Unit::Block => {
                let place = place(unit, map, plan);
                eight = eight_bits((place.0, place.1 & 0x1FFF_FFFFu32), stream, words, plan.family);
            }
            Unit::Shared => {
                let place = place(unit, map, plan);
                let bit = eight_bits(block_of(place), stream, words, plan.family) >> (place.0 & 7u32);
                eight = select(bit & 1u32 != 0u32, 0xFFu32, 0u32);
            }
            Unit::Each => {
                // Neighbours often have their bits in one block.
                let mut last = place(unit * 8u32, map, plan);
                let mut bits = eight_bits(block_of(last), stream, words, plan.family);
                eight = (bits >> (last.0 & 7u32)) & 1u32;
                for element in 1..8u32 {
                    let place = place(unit * 8u32 + element, map, plan);
                    if (place.0 >> 3u32) != (last.0 >> 3u32) || place.1 != last.1 {
                        bits = eight_bits(block_of(place), stream, words, plan.family);
                        last = place;
                    }
                    eight |= ((bits >> (place.0 & 7u32)) & 1u32) << element;
                }
            }
        }
    }
    eight
}

/// The numbers of a unit's elements.
#[cube]
fn numbers_of_unit(
    unit: u32,
    map: &Map,
    stream: &Stream,
    words: &ComptimeOption<LinearView<'_, u32>>,
    #[comptime] plan: Plan,
) -> Sequence<f32> {
    let mut numbers = Sequence::<f32>::new();
    if comptime!(plan.takes_numbers()) {
        match comptime!(plan.unit) {
            Unit::Block => {
                let block = place(unit, map, plan);
                #[unroll]
                for half in 0..comptime!(2u32) {
                    let four = (block.0 << 1u32 | half, block.1 << 1u32 | block.0 >> 31u32);
                    let four = four_words(four, stream);
                    #[unroll]
                    for j in 0..comptime!(4usize) {
                        numbers.push(number(four[j], words, plan.formula));
                    }
                }
            }
            Unit::Shared => {
                let number = number(word(place(unit, map, plan), stream), words, plan.formula);
                #[unroll]
                for _ in 0..comptime!(8u32) {
                    numbers.push(number);
                }
            }
            Unit::Each =>
            {
                #[unroll]
                for element in 0..comptime!(8u32) {
                    let word = word(place(unit * 8u32 + element, map, plan), stream);
                    numbers.push(number(word, words, plan.formula));
                }
            }
        }
    }
    numbers
}

/// The word that the number at a place is made of.
#[cube]
fn word(place: (u32, u32), stream: &Stream) -> u32 {
    let four = four_words((place.0 >> 2u32 | place.1 << 30u32, place.1 >> 2u32), stream);
    let low = select(place.0 & 1u32 == 0u32, four[0], four[1]);
    let high = select(place.0 & 1u32 == 0u32, four[2], four[3]);
    select(place.0 & 2u32 == 0u32, low, high)
}

/// The number that a word becomes.
#[cube]
fn number(word: u32, pieces: &ComptimeOption<LinearView<'_, u32>>, #[comptime] formula: Formula) -> f32 {
    match comptime!(formula) {
        Formula::MultiplyBy(Distribution::Normal) | Formula::Add(Distribution::Normal) => normal(word, pieces),
        _ => uniform(word),
    }
}

/// The block that the bit at a place is in.
#[cube]
fn block_of(place: (u32, u32)) -> (u32, u32) {
    (place.0 >> 3u32 | place.1 << 29u32, place.1 >> 3u32)
}

/// The place of element or unit number `number`, as its lower and its upper word.
#[cube]
fn place(number: u32, map: &Map, #[comptime] plan: Plan) -> (u32, u32) {
    let mut rest = number;
    let (mut low, mut high) = (map.start_low, map.start_high);
    let inner = comptime!(map.sizes.len());
    #[unroll]
    for axis in 0..inner {
        let (outer, coordinate) = map.sizes[axis].div_mod(rest);
        let (next_low, next_high) =
            further(low, high, coordinate, map.strides_low[axis], map.strides_high[axis], plan.narrow);
        low = next_low;
        high = next_high;
        rest = outer;
    }
    further(low, high, rest, map.strides_low[inner], map.strides_high[inner], plan.narrow)
}

/// `coordinate` strides further, modulo 2^64.
#[cube]
fn further(
    low: u32,
    high: u32,
    coordinate: u32,
    stride_low: u32,
    stride_high: u32,
    #[comptime] narrow: bool,
) -> (u32, u32) {
    let sum = low + coordinate * stride_low;
    if comptime!(narrow) {
        (sum, high)
    } else {
        let carry = u32::cast_from(sum < low);
        (sum, high + u32::mul_hi(coordinate, stride_low) + coordinate * stride_high + carry)
    }
}
