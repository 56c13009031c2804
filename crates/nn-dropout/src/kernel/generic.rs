//! The two hot loops, once for all instruction sets: draw keep bits, and apply them.

use std::ptr::copy_nonoverlapping;

use super::effect::{Divide, Effect, Formula, Scale, ScaleAndShift};
use super::operands::{Operands, Unit};
use super::rounds::Rounds;
use super::source::Source;
use crate::mask::BLOCK;
use crate::random::philox::MULTIPLIERS;

/// What drawing bits needs of an instruction set: 32-bit arithmetic on several Philox blocks at once.
///
/// # Safety
///
/// The methods may use instructions that not every CPU has. Their caller has made sure that this one does, and they are
/// inlined into a function that enables them.
pub(super) trait Isa {
    /// How many blocks at once; at most 8.
    const BLOCKS: usize;

    /// A word of each block.
    type Words: Copy;

    /// The 64-bit product of two such words.
    type Products: Copy;

    /// Two neighbouring words of each block.
    type Pairs: Copy;

    /// The sixteen-bit lanes of all blocks, in the order of the elements they decide about.
    type Lanes: Copy;

    unsafe fn splat(word: u32) -> Self::Words;

    /// 0, 1, 2, ... in the order that [`lanes`](Self::lanes) turns into the natural one.
    unsafe fn ascending() -> Self::Words;

    unsafe fn add(a: Self::Words, b: Self::Words) -> Self::Words;

    unsafe fn xor(a: Self::Words, b: Self::Words) -> Self::Words;

    unsafe fn xor3(a: Self::Words, b: Self::Words, c: Self::Words) -> Self::Words;

    unsafe fn product(a: Self::Words, b: Self::Words) -> Self::Products;

    unsafe fn high(products: Self::Products) -> Self::Words;

    unsafe fn low(products: Self::Products) -> Self::Words;

    /// `xor3(high(products), a, b)` and `low(products)`.
    unsafe fn pairs(products: Self::Products, a: Self::Words, b: Self::Words) -> Self::Pairs;

    unsafe fn lanes(first: Self::Pairs, second: Self::Pairs) -> Self::Lanes;

    /// Bit i is set where lane i is below `threshold`.
    unsafe fn below(lanes: Self::Lanes, threshold: u16) -> u64;

    /// Bit i is set where lane i is `threshold`.
    unsafe fn equal(lanes: Self::Lanes, threshold: u16) -> u64;

    /// Whether any lane is `threshold`.
    unsafe fn any_equal<const N: usize>(lanes: &[Self::Lanes; N], threshold: u16) -> bool;

    /// Brings the line at an address, which may be any, into the caches.
    unsafe fn prefetch(_address: *const u8) {}
}

/// What applying bits needs of an instruction set: registers full of `T`.
///
/// # Safety
///
/// As for [`Isa`]. Pointers are to as many elements as a register holds.
pub(super) trait Lanes<T> {
    /// How many elements a register holds: a power of two, at most [`UNIT`].
    const COUNT: usize;

    type Register: Copy;

    unsafe fn splat(value: T) -> Self::Register;

    unsafe fn load(from: *const T) -> Self::Register;

    unsafe fn store(to: *mut T, register: Self::Register);

    /// Stores past the caches; `to` is aligned to a [`LINE`].
    unsafe fn stream(to: *mut T, register: Self::Register) {
        // SAFETY: the caller's.
        unsafe { Self::store(to, register) }
    }

    /// Puts what was streamed in order with all other stores.
    unsafe fn fence() {}

    /// `kept` where the element's bit is set, else `dropped`. The first element's is bit `COUNT * index` of `bits`.
    unsafe fn select(bits: u32, index: usize, kept: Self::Register, dropped: Self::Register) -> Self::Register;

    /// The product, rounded to `T`.
    unsafe fn mul(a: Self::Register, b: Self::Register) -> Self::Register;

    /// The quotient, rounded to `T`.
    unsafe fn div(a: Self::Register, b: Self::Register) -> Self::Register;

    /// The sum, rounded to `T`.
    unsafe fn add(a: Self::Register, b: Self::Register) -> Self::Register;
}

/// The most elements that the kernel of any instruction set draws and applies in one go.
pub(super) const CHUNK: usize = 1024;

/// How many elements share one word of bits in the loop that applies them.
pub(super) const UNIT: usize = 32;

/// The size of a cache line in bytes, and the alignment of streaming stores.
const LINE: usize = 64;

/// How far ahead of its use memory is fetched, in bytes: what comes from memory takes longer than what comes from a cache.
const AHEAD: usize = 2048;
const AHEAD_STREAMING: usize = 16384;

/// The keep bits of a chunk, and room for more that are drawn in excess.
pub(super) type Bits = [u8; CHUNK / BLOCK as usize + 64];

/// Draws the keep bits of `count` blocks from `first` on, with `rounds.upper` as the upper half of their numbers.
///
/// # Safety
///
/// The CPU has the instructions of `I`.
#[inline(always)]
pub(super) unsafe fn draw_bits<I: Isa, const N: usize>(rounds: &Rounds, first: u32, count: usize, bits: &mut [u8]) {
    let Some(threshold) = rounds.threshold else {
        return bits.fill(0xFF);
    };
    let mut done = 0;
    while done < count {
        let (first, bits) = (first.wrapping_add(done as u32), &mut bits[done..]);
        // SAFETY: the caller's.
        unsafe {
            if done + (N - 1) * I::BLOCKS < count {
                store_groups::<I, N>(draw_groups::<I, N>(rounds, threshold, first), bits);
                done += N * I::BLOCKS;
            } else {
                store_groups::<I, 1>(draw_groups::<I, 1>(rounds, threshold, first), bits);
                done += I::BLOCKS;
            }
        }
    }
}

/// The keep bits of `N` groups of consecutive blocks, drawn side by side, so that one's multiplications fill the time
/// another waits.
#[inline(always)]
unsafe fn draw_groups<I: Isa, const N: usize>(rounds: &Rounds, threshold: u16, first: u32) -> [u64; N] {
    // SAFETY: the caller's.
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
fn store_groups<I: Isa, const N: usize>(kept: [u64; N], bits: &mut [u8]) {
    for i in 0..N {
        bits[i * I::BLOCKS..][..I::BLOCKS].copy_from_slice(&kept[i].to_le_bytes()[..I::BLOCKS]);
    }
}

/// Which of the elements in `ties`, counted from the first of block `first`, are kept.
#[cold]
fn kept_ties(rounds: &Rounds, first: u32, ties: u64) -> u64 {
    let block = u64::from(rounds.upper) << 32 | u64::from(first);
    let kept = |i: &u64| ties >> i & 1 == 1 && rounds.mask.keeps(block.wrapping_mul(BLOCK).wrapping_add(*i));
    (0..64).filter(kept).fold(0, |bits, i| bits | 1 << i)
}

/// The lanes of N groups of consecutive blocks.
//
// Index loops and a macro, here and below: closures have the instruction set's features and what they are passed to has not,
// so neither would be inlined; and the compiler would keep a loop over the rounds.
#[inline(always)]
unsafe fn philox<I: Isa, const N: usize>(rounds: &Rounds, first: u32) -> [I::Lanes; N] {
    // SAFETY: the caller's.
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

/// Applies `effect` to `operands`, as the bits of `source` say from that of element `start` on.
///
/// # Safety
///
/// The CPU has the instructions of `D` and `I`.
#[inline(always)]
pub(super) unsafe fn apply<D: Isa, const N: usize, I: Lanes<T>, T: Copy + Default>(
    source: &mut Source,
    effect: Effect<T>,
    mut start: u64,
    mut rest: Operands<T>,
    stream: bool,
) {
    let chunk = N * D::BLOCKS * BLOCK as usize;
    let mut bits: Bits = [0; _];
    // All that is not Philox's bits and a scale goes by small chunks: bits first, then elements.
    let scale = match effect {
        Effect::Scale(kept) if source.is_plain() => Some(kept),
        _ => None,
    };
    while rest.count() > 0 {
        let row = rest.row();
        // Whole chunks start where streaming stores are aligned, or with a block, and none has blocks with another upper half.
        let head = if stream { rest.unit().y.align_offset(LINE) } else { (start.wrapping_neg() % BLOCK) as usize };
        let left = (1 << 32) - u64::from((start.wrapping_add(head as u64) / BLOCK) as u32);
        let whole = (row.saturating_sub(head) as u64).min((left - 1) * BLOCK) as usize / chunk * chunk;
        let whole = if scale.is_some() { whole } else { 0 };
        let count = match (head, whole) {
            (0, 1..) => whole,
            (1.., 1..) => head,
            (_, 0) => row.min(CHUNK),
        };
        let part;
        (part, rest) = rest.split_at(count);
        // SAFETY: the caller's; the part lies within a row of the bias.
        unsafe {
            let unit = part.unit();
            match scale {
                Some(kept) if head == 0 && whole > 0 => {
                    let scale = Scale { kept: I::splat(kept), dropped: I::splat(T::default()) };
                    // A loop for each kind of operands, so that none has to ask again and again.
                    let chunks = (&mut *source, start, unit, count, scale, &mut bits);
                    match (unit.bias.is_some(), unit.residual.is_some(), stream) {
                        (false, false, false) => apply_chunks::<D, N, I, T, false, false, false>(chunks),
                        (false, false, true) => apply_chunks::<D, N, I, T, false, false, true>(chunks),
                        (false, true, false) => apply_chunks::<D, N, I, T, false, true, false>(chunks),
                        (false, true, true) => apply_chunks::<D, N, I, T, false, true, true>(chunks),
                        (true, _, false) => apply_chunks::<D, N, I, T, true, true, false>(chunks),
                        (true, _, true) => apply_chunks::<D, N, I, T, true, true, true>(chunks),
                    }
                }
                _ => {
                    source.draw(start, count, &mut bits);
                    apply_effect::<I, T>(&bits, effect, unit, count);
                }
            }
        }
        start = start.wrapping_add(count as u64);
    }
    if stream {
        // SAFETY: the caller's.
        unsafe { I::fence() };
    }
}

/// `count` elements from `start` on, which are whole chunks: the bits of one, then its elements, while memory for one to
/// come is fetched.
#[inline(always)]
unsafe fn apply_chunks<D, const N: usize, I, T, const BIAS: bool, const RESIDUAL: bool, const STREAM: bool>(
    (source, start, all, count, scale, bits): (&mut Source, u64, Unit<T>, usize, Scale<I::Register>, &mut Bits),
) where
    D: Isa,
    I: Lanes<T>,
    T: Copy + Default,
{
    let chunk = N * D::BLOCKS * BLOCK as usize;
    // What the caller has looked at already: the compiler is to know it too.
    let bias = if BIAS { all.bias.or(Some(all.x)) } else { None };
    let residual = if RESIDUAL { all.residual.or(Some(all.x)) } else { None };
    let all = Unit { bias, residual, ..all };
    let ahead = if STREAM { AHEAD_STREAMING } else { AHEAD };

    // Of the block before the first one that is drawn whole, the last bits come first.
    let lag = if STREAM { start.wrapping_neg() % BLOCK } else { 0 };
    let mut carry = 0;
    if lag > 0 {
        source.draw(start, lag as usize, bits);
        carry = u64::from(bits[0]) & ((1 << lag) - 1);
    }
    let first = start.div_ceil(BLOCK);
    let Some((rounds, threshold)) = source.rounds((first >> 32) as u32) else {
        unreachable!("the caller has looked");
    };
    // SAFETY: the caller's.
    unsafe {
        for i in (0..count).step_by(chunk) {
            for byte in (0..chunk * size_of::<T>()).step_by(LINE) {
                D::prefetch(all.x.wrapping_add(i).cast::<u8>().wrapping_add(byte + ahead));
                if let Some(residual) = all.residual {
                    D::prefetch(residual.wrapping_add(i).cast::<u8>().wrapping_add(byte + ahead));
                }
                if !STREAM {
                    D::prefetch(all.y.wrapping_add(i).cast::<u8>().wrapping_add(byte + ahead));
                }
            }
            let mut kept =
                draw_groups::<D, N>(rounds, threshold, (first as u32).wrapping_add((i / BLOCK as usize) as u32));
            // In registers: a load from memory that two stores have written waits for both.
            for kept in &mut kept {
                let last_block = *kept >> (8 * (D::BLOCKS - 1)) & 0xFF;
                *kept = *kept << lag | carry;
                carry = last_block >> (BLOCK - lag);
            }
            store_groups::<D, N>(kept, bits);
            apply_bits::<I, T, _>(bits, scale, all.at(i), chunk, STREAM);
        }
    }
}

/// Applies the bits to `count` elements, at most a chunk, whatever the effect.
#[inline(always)]
unsafe fn apply_effect<I: Lanes<T>, T: Copy + Default>(bits: &Bits, effect: Effect<T>, all: Unit<T>, count: usize) {
    // SAFETY: the caller's.
    unsafe {
        let zero = I::splat(T::default());
        match effect {
            Effect::Scale(kept) => {
                apply_bits::<I, T, _>(bits, Scale { kept: I::splat(kept), dropped: zero }, all, count, false);
            }
            Effect::ScaleAndShift(kept, shifts) => {
                let scale = Scale { kept: I::splat(kept), dropped: zero };
                let [kept, dropped] = [I::splat(shifts[0]), I::splat(shifts[1])];
                apply_bits::<I, T, _>(bits, ScaleAndShift { scale, kept, dropped }, all, count, false);
            }
            Effect::Divide(divisor) => {
                apply_bits::<I, T, _>(bits, Divide { divisor: I::splat(divisor), dropped: zero }, all, count, false);
            }
        }
    }
}

/// Applies the bits to `count` elements, at most a chunk.
#[inline(always)]
unsafe fn apply_bits<I: Lanes<T>, T: Copy + Default, F: Formula<T, I>>(
    bits: &Bits,
    formula: F,
    all: Unit<T>,
    count: usize,
    stream: bool,
) {
    let whole = count - count % UNIT;
    // SAFETY: the caller's. Bits have room for a chunk and more. Units lie within the elements, but for the last one, which has
    // memory of its own.
    unsafe {
        let word = |i: usize| u32::from_le(bits.as_ptr().add(i / 8).cast::<u32>().read_unaligned());
        for i in (0..whole).step_by(UNIT) {
            apply_unit::<I, T, F>(word(i), formula, all.at(i), stream);
        }
        if count > whole {
            let (rest, count) = (all.at(whole), count - whole);
            let mut last = [[T::default(); UNIT]; 3];
            let [x, bias, residual] = &mut last;
            copy_nonoverlapping(rest.x, x.as_mut_ptr(), count);
            let bias = rest.bias.map(|from| {
                copy_nonoverlapping(from, bias.as_mut_ptr(), count);
                bias.as_ptr()
            });
            let residual = rest.residual.map(|from| {
                copy_nonoverlapping(from, residual.as_mut_ptr(), count);
                residual.as_ptr()
            });
            let y = x.as_mut_ptr();
            apply_unit::<I, T, F>(word(whole), formula, Unit { x: y, bias, residual, y }, false);
            copy_nonoverlapping(y, rest.y, count);
        }
    }
}

/// `y = residual + formula(x + bias)` for a unit of elements.
#[inline(always)]
unsafe fn apply_unit<I: Lanes<T>, T: Copy, F: Formula<T, I>>(bits: u32, formula: F, unit: Unit<T>, stream: bool) {
    for index in 0..UNIT / I::COUNT {
        let i = index * I::COUNT;
        // SAFETY: the caller's.
        unsafe {
            let mut value = I::load(unit.x.add(i));
            if let Some(bias) = unit.bias {
                value = I::add(value, I::load(bias.add(i)));
            }
            value = formula.noisy(value, bits, index);
            if let Some(residual) = unit.residual {
                value = I::add(I::load(residual.add(i)), value);
            }
            if stream {
                I::stream(unit.y.add(i), value);
            } else {
                I::store(unit.y.add(i), value);
            }
        }
    }
}
