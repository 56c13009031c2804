//! The loop that applies noise to elements, once for all instruction sets.
//!
//! A call is cut into parts that lie within one row of the bias. Where a mask is Philox's, its elements are only scaled, and
//! enough of them have one bit after the other, whole chunks go through [`apply_chunks`]: bits and elements of a chunk in one
//! loop, so that the CPU draws the next bits while it waits for memory. Everything else goes by small chunks, first the bits
//! ([`Mapped::gather`]) or numbers ([`Mapped::numbers`]), then the elements.
//!
//! Outputs that no cache could hold are written past the caches, in whole lines. So the first part ends where a line of the
//! output begins, and the bits of later ones may begin anywhere in a block: they are shifted in registers.

use std::ptr::copy_nonoverlapping;

use super::affine::{Add, Affine, Divide, Formula, MultiplyBy, Place, Scale, ScaleAndShift};
use super::bits::{Bits, CHUNK, Mapped, Source};
use super::element::Element;
use super::isa::{Blocks, Vector};
use super::operands::{Operands, Unit};
use super::philox::{draw_groups, store_groups};
use crate::spec::philox::BLOCK;

/// The number of elements that share one word of bits.
const UNIT: usize = 32;

/// The size of a cache line in bytes, and the alignment of streaming stores.
const LINE: usize = 64;

/// How far ahead of its use memory is fetched, in bytes. Main memory takes longer than a cache.
const AHEAD: usize = 2048;
const AHEAD_STREAMING: usize = 16384;

/// Applies `affine` to `operands`, which are the elements from number `first` on, with the bits that `mapped` has for them.
/// `stream` writes past the caches.
///
/// # Safety
///
/// - The CPU has the instructions of `D` and `I`, and the caller enables them. So it is for all functions below.
#[inline(always)]
pub unsafe fn apply<D: Blocks, const N: usize, I: Vector<T>, T: Element>(
    mapped: &mut Mapped,
    affine: Affine<T>,
    mut first: u64,
    mut rest: Operands<T>,
    stream: bool,
) {
    let chunk = N * D::BLOCKS * BLOCK as usize;
    let mut bits: Bits = [0; _];
    let scale = match affine {
        Affine::Scale([kept, dropped]) if dropped == T::default() && mapped.source.is_philox() => Some(kept),
        _ => None,
    };
    while rest.count() > 0 {
        let row = rest.row();
        let (start, run) = mapped.run(first);
        // Elements before the first line of the output, if it is streamed, else before the first block that is drawn whole.
        let to_line = if stream { rest.unit().y.align_offset(LINE) } else { 0 };
        let head = if stream { to_line } else { (start.wrapping_neg() % BLOCK) as usize };
        // Elements that go by whole chunks. The upper half of a block's number is the same for all blocks of a loop.
        let whole = match scale {
            Some(_) if run >= chunk as u64 && !mapped.repeats() => {
                let alike = (1 << 32) - u64::from((start.wrapping_add(head as u64) / BLOCK) as u32);
                let row = run.min(row as u64).saturating_sub(head as u64);
                row.min((alike - 1) * BLOCK) as usize / chunk * chunk
            }
            _ => 0,
        };
        let count = match (head, whole) {
            (0, 1..) => whole,
            (1.., 1..) => head,
            (1.., 0) if row >= CHUNK && stream => head,
            (_, 0) => row.min(CHUNK),
        };
        let part;
        (part, rest) = rest.split_at(count);
        let all = part.unit();
        // SAFETY: `part` lies within a row of the bias, so all pointers are good for `count` elements; if streamed, `y` is
        // aligned where `to_line` is 0.
        unsafe {
            match scale {
                Some(kept) if head == 0 && whole > 0 => {
                    let scale = Scale { kept: I::splat(kept), dropped: I::splat(T::default()) };
                    let chunks = Chunks { source: &mut mapped.source, start, all, count, scale, bits: &mut bits };
                    // One loop for each kind of operands, so that none checks again and again.
                    match (all.bias.is_some(), all.residual.is_some(), stream) {
                        (false, false, false) => apply_chunks::<D, N, I, T, false, false, false>(chunks),
                        (false, false, true) => apply_chunks::<D, N, I, T, false, false, true>(chunks),
                        (false, true, false) => apply_chunks::<D, N, I, T, false, true, false>(chunks),
                        (false, true, true) => apply_chunks::<D, N, I, T, false, true, true>(chunks),
                        (true, false, false) => apply_chunks::<D, N, I, T, true, false, false>(chunks),
                        (true, false, true) => apply_chunks::<D, N, I, T, true, false, true>(chunks),
                        (true, true, false) => apply_chunks::<D, N, I, T, true, true, false>(chunks),
                        (true, true, true) => apply_chunks::<D, N, I, T, true, true, true>(chunks),
                    }
                }
                _ => {
                    if count as u64 <= run {
                        mapped.source.draw(start, count, &mut bits);
                    } else {
                        mapped.gather(first, count, &mut bits);
                    }
                    if stream && to_line == 0 {
                        apply_affine::<I, T, true>(&bits, affine, all, count);
                    } else {
                        apply_affine::<I, T, false>(&bits, affine, all, count);
                    }
                }
            }
        }
        first = first.wrapping_add(count as u64);
    }
    if stream {
        // SAFETY: see above.
        unsafe { I::fence() };
    }
}

/// Elements that are whole chunks, and the source of their bits.
struct Chunks<'a, 'b, T, R> {
    source: &'a mut Source<'b>,
    /// The bit of the first element.
    start: u64,
    all: Unit<T>,
    count: usize,
    scale: Scale<R>,
    bits: &'a mut Bits,
}

/// The bits of a chunk, then its elements, while memory for a later one is fetched.
///
/// # Safety
///
/// - The source is Philox's, and no two blocks differ in the upper halves of their numbers.
/// - The pointers of `all` are good for `count` elements.
/// - If streamed, the output is aligned to a [`LINE`].
#[inline(always)]
unsafe fn apply_chunks<D, const N: usize, I, T, const BIAS: bool, const RESIDUAL: bool, const STREAM: bool>(
    Chunks { source, start, all, count, scale, bits }: Chunks<T, I::Register>,
) where
    D: Blocks,
    I: Vector<T>,
    T: Element,
{
    let chunk = N * D::BLOCKS * BLOCK as usize;
    // The caller knows which there are. Repeated here, so that the compiler knows it too.
    let bias = if BIAS { all.bias.or(Some(all.x)) } else { None };
    let residual = if RESIDUAL { all.residual.or(Some(all.x)) } else { None };
    let all = Unit { bias, residual, ..all };
    let ahead = if STREAM { AHEAD_STREAMING } else { AHEAD };

    // Start with the tail of the partial block.
    let lag = if STREAM { start.wrapping_neg() % BLOCK } else { 0 };
    let mut carry = 0;
    if lag > 0 {
        source.draw(start, lag as usize, bits);
        carry = u64::from(bits[0]) & ((1 << lag) - 1);
    }
    let first = start.div_ceil(BLOCK);
    let Some((rounds, threshold)) = source.rounds((first >> 32) as u32) else {
        unreachable!("the source is Philox's");
    };
    // SAFETY: `i + chunk` is at most `count`; a prefetch may go beyond it.
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
            apply_bits::<I, T, _, STREAM>(bits, scale, all.at(i), chunk);
        }
    }
}

/// Applies the bits to `count` elements, at most a chunk.
///
/// # Safety
///
/// As of [`apply_chunks`], less the source.
#[inline(always)]
unsafe fn apply_affine<I: Vector<T>, T: Element, const STREAM: bool>(
    bits: &Bits,
    affine: Affine<T>,
    all: Unit<T>,
    count: usize,
) {
    // SAFETY: handed on.
    unsafe {
        let zero = I::splat(T::default());
        match affine {
            Affine::Scale([kept, dropped]) => {
                let scale = Scale { kept: I::splat(kept), dropped: I::splat(dropped) };
                apply_bits::<I, T, _, STREAM>(bits, scale, all, count);
            }
            Affine::ScaleAndShift(scales, shifts) => {
                let scale = Scale { kept: I::splat(scales[0]), dropped: I::splat(scales[1]) };
                let [kept, dropped] = [I::splat(shifts[0]), I::splat(shifts[1])];
                apply_bits::<I, T, _, STREAM>(bits, ScaleAndShift { scale, kept, dropped }, all, count);
            }
            Affine::Divide(divisor) => {
                apply_bits::<I, T, _, STREAM>(bits, Divide { divisor: I::splat(divisor), dropped: zero }, all, count);
            }
            Affine::MultiplyBy(..) | Affine::Add(..) => unreachable!("these are for numbers"),
        }
    }
}

/// The same for an `affine` that takes numbers.
///
/// # Safety
///
/// As of [`apply`].
#[inline(always)]
pub unsafe fn apply_numbers<I: Vector<T>, T: Element>(
    mapped: &Mapped,
    affine: Affine<T>,
    mut first: u64,
    mut rest: Operands<T>,
) {
    let (distribution, base, amount) = match affine {
        Affine::MultiplyBy(distribution, amount) => (distribution, 1.0, amount),
        Affine::Add(distribution, amount) => (distribution, 0.0, amount),
        _ => unreachable!("the others are for bits"),
    };
    let mut numbers = [0_f32; CHUNK];
    // A whole unit is read where there are fewer elements.
    let mut amounts = [T::default(); CHUNK];
    while rest.count() > 0 {
        let count = rest.row().min(CHUNK);
        let part;
        (part, rest) = rest.split_at(count);
        mapped.numbers(distribution, first, &mut numbers[..count]);
        T::amounts(base, amount, &numbers[..count], &mut amounts[..count]);
        // SAFETY: `part` lies within a row of the bias, so all pointers are good for `count` elements; a chunk is whole units.
        unsafe {
            if base == 1.0 {
                let formula = MultiplyBy { scales: amounts.as_ptr() };
                apply_bits::<I, T, _, false>(&[0; _], formula, part.unit(), count);
            } else {
                apply_bits::<I, T, _, false>(&[0; _], Add { shifts: amounts.as_ptr() }, part.unit(), count);
            }
        }
        first = first.wrapping_add(count as u64);
    }
}

/// The same for one formula.
///
/// # Safety
///
/// As of [`apply_affine`].
#[inline(always)]
unsafe fn apply_bits<I: Vector<T>, T: Element, F: Formula<T, I>, const STREAM: bool>(
    bits: &Bits,
    formula: F,
    all: Unit<T>,
    count: usize,
) {
    let whole = count - count % UNIT;
    // SAFETY: `i + UNIT` is at most `count`, and `bits` has more bits than a chunk has elements. What is left goes through
    // arrays of a whole unit, of which `count - whole` elements are copied in and out.
    unsafe {
        let word = |i: usize| u32::from_le(bits.as_ptr().add(i / 8).cast::<u32>().read_unaligned());
        for i in (0..whole).step_by(UNIT) {
            apply_unit::<I, T, F, STREAM>(word(i), i, formula, all.at(i));
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
            apply_unit::<I, T, F, false>(word(whole), whole, formula, Unit { x: y, bias, residual, y });
            copy_nonoverlapping(y, rest.y, count);
        }
    }
}

/// `y = residual + formula(x + bias)` for a unit of elements.
///
/// # Safety
///
/// As of [`apply_bits`], for [`UNIT`] elements.
#[inline(always)]
unsafe fn apply_unit<I: Vector<T>, T: Copy, F: Formula<T, I>, const STREAM: bool>(
    bits: u32,
    first: usize,
    formula: F,
    unit: Unit<T>,
) {
    for index in 0..UNIT / I::COUNT {
        let i = index * I::COUNT;
        // SAFETY: `i + COUNT` is at most `UNIT`; registers of a streamed output are as large as a line, or divide it.
        unsafe {
            let mut value = I::load(unit.x.add(i));
            if let Some(bias) = unit.bias {
                value = I::add(value, I::load(bias.add(i)));
            }
            value = formula.noisy(value, Place { bits, index, element: first + i });
            if let Some(residual) = unit.residual {
                value = I::add(I::load(residual.add(i)), value);
            }
            if STREAM {
                I::stream(unit.y.add(i), value);
            } else {
                I::store(unit.y.add(i), value);
            }
        }
    }
}
