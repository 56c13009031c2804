//! WebAssembly with simd128, which has no conversions for f16.

use std::arch::wasm32::*;

use half::bf16;

use super::{Blocks, Vector, arithmetic_in_f32};

pub struct Simd128;

impl Blocks for Simd128 {
    const BLOCKS: usize = 4;
    type Words = v128;
    /// Those of the first two blocks, and those of the others.
    type Products = [v128; 2];
    type Pairs = [v128; 2];
    type Lanes = [v128; 4];

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn splat(word: u32) -> v128 {
        u32x4_splat(word)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn ascending() -> v128 {
        u32x4(0, 1, 2, 3)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn add(a: v128, b: v128) -> v128 {
        u32x4_add(a, b)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn xor(a: v128, b: v128) -> v128 {
        v128_xor(a, b)
    }

    /// The last two first: neither waits for a product.
    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn xor3(a: v128, b: v128, c: v128) -> v128 {
        v128_xor(a, v128_xor(b, c))
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn product(a: v128, b: v128) -> [v128; 2] {
        [u64x2_extmul_low_u32x4(a, b), u64x2_extmul_high_u32x4(a, b)]
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn high(products: [v128; 2]) -> v128 {
        let [first, last] = products;
        u32x4_shuffle::<1, 3, 5, 7>(first, last)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn low(products: [v128; 2]) -> v128 {
        let [first, last] = products;
        u32x4_shuffle::<0, 2, 4, 6>(first, last)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn pairs(products: [v128; 2], a: v128, b: v128) -> [v128; 2] {
        // SAFETY: the instructions are those that this function enables.
        unsafe { [Self::xor3(Self::high(products), a, b), Self::low(products)] }
    }

    /// Transposed: a block a register.
    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn lanes([c0, c1]: [v128; 2], [c2, c3]: [v128; 2]) -> [v128; 4] {
        let first = [u32x4_shuffle::<0, 4, 1, 5>(c0, c1), u32x4_shuffle::<0, 4, 1, 5>(c2, c3)];
        let last = [u32x4_shuffle::<2, 6, 3, 7>(c0, c1), u32x4_shuffle::<2, 6, 3, 7>(c2, c3)];
        [
            u64x2_shuffle::<0, 2>(first[0], first[1]),
            u64x2_shuffle::<1, 3>(first[0], first[1]),
            u64x2_shuffle::<0, 2>(last[0], last[1]),
            u64x2_shuffle::<1, 3>(last[0], last[1]),
        ]
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn below(lanes: [v128; 4], threshold: u16) -> u64 {
        let threshold = u16x8_splat(threshold);
        let [a, b, c, d] = lanes;
        flags([u16x8_lt(a, threshold), u16x8_lt(b, threshold), u16x8_lt(c, threshold), u16x8_lt(d, threshold)])
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn equal(lanes: [v128; 4], threshold: u16) -> u64 {
        let threshold = u16x8_splat(threshold);
        let [a, b, c, d] = lanes;
        flags([u16x8_eq(a, threshold), u16x8_eq(b, threshold), u16x8_eq(c, threshold), u16x8_eq(d, threshold)])
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn any_equal<const N: usize>(lanes: &[[v128; 4]; N], threshold: u16) -> bool {
        let threshold = u16x8_splat(threshold);
        let mut any = u16x8_splat(0);
        for lanes in lanes {
            for lanes in lanes {
                any = v128_or(any, u16x8_eq(*lanes, threshold));
            }
        }
        v128_any_true(any)
    }
}

/// A bit for each sixteen-bit lane, which holds -1 or 0.
#[inline]
#[target_feature(enable = "simd128")]
fn flags([a, b, c, d]: [v128; 4]) -> u64 {
    let first = i8x16_bitmask(i8x16_narrow_i16x8(a, b));
    let last = i8x16_bitmask(i8x16_narrow_i16x8(c, d));
    u64::from(first) | u64::from(last) << 16
}

impl Vector<f32> for Simd128 {
    const COUNT: usize = 4;
    type Register = v128;

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn splat(value: f32) -> v128 {
        f32x4_splat(value)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn load(from: *const f32) -> v128 {
        // SAFETY: `COUNT` elements can be read at `from`.
        unsafe { v128_load(from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn store(to: *mut f32, register: v128) {
        // SAFETY: `COUNT` elements can be written at `to`.
        unsafe { v128_store(to.cast(), register) }
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn select(bits: u32, index: usize, kept: v128, dropped: v128) -> v128 {
        let lanes = u32x4(1, 2, 4, 8);
        let bits = v128_and(u32x4_splat(bits >> (4 * index)), lanes);
        v128_bitselect(kept, dropped, u32x4_eq(bits, lanes))
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn mul(a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn div(a: v128, b: v128) -> v128 {
        f32x4_div(a, b)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn add(a: v128, b: v128) -> v128 {
        f32x4_add(a, b)
    }
}

impl Vector<f64> for Simd128 {
    const COUNT: usize = 2;
    type Register = v128;

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn splat(value: f64) -> v128 {
        f64x2_splat(value)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn load(from: *const f64) -> v128 {
        // SAFETY: `COUNT` elements can be read at `from`.
        unsafe { v128_load(from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn store(to: *mut f64, register: v128) {
        // SAFETY: `COUNT` elements can be written at `to`.
        unsafe { v128_store(to.cast(), register) }
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn select(bits: u32, index: usize, kept: v128, dropped: v128) -> v128 {
        let lanes = u64x2(1, 2);
        let bits = v128_and(u64x2_splat(u64::from(bits >> (2 * index))), lanes);
        v128_bitselect(kept, dropped, u64x2_eq(bits, lanes))
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn mul(a: v128, b: v128) -> v128 {
        f64x2_mul(a, b)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn div(a: v128, b: v128) -> v128 {
        f64x2_div(a, b)
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn add(a: v128, b: v128) -> v128 {
        f64x2_add(a, b)
    }
}

/// The elements with even and with odd indices: bf16 is the upper half of an f32.
#[inline]
#[target_feature(enable = "simd128")]
fn widen_bf16(register: v128) -> [v128; 2] {
    [u32x4_shl(register, 16), v128_and(register, u32x4_splat(0xFFFF_0000))]
}

/// Rounds half to even to what the upper half can hold. A NaN from bf16 has nothing in the lower half, and stays one.
#[inline]
#[target_feature(enable = "simd128")]
fn narrow_bf16([even, odd]: [v128; 2]) -> v128 {
    v128_bitselect(round_to_bf16(odd), u32x4_shr(round_to_bf16(even), 16), u32x4_splat(0xFFFF_0000))
}

#[inline]
#[target_feature(enable = "simd128")]
fn round_to_bf16(number: v128) -> v128 {
    let is_odd = v128_and(u32x4_shr(number, 16), u32x4_splat(1));
    u32x4_add(number, u32x4_add(is_odd, u32x4_splat(0x7FFF)))
}

impl Vector<bf16> for Simd128 {
    const COUNT: usize = 8;
    type Register = v128;

    arithmetic_in_f32!("simd128", widen_bf16, narrow_bf16);

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn splat(value: bf16) -> v128 {
        u16x8_splat(value.to_bits())
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn load(from: *const bf16) -> v128 {
        // SAFETY: `COUNT` elements can be read at `from`.
        unsafe { v128_load(from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn store(to: *mut bf16, register: v128) {
        // SAFETY: `COUNT` elements can be written at `to`.
        unsafe { v128_store(to.cast(), register) }
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    unsafe fn select(bits: u32, index: usize, kept: v128, dropped: v128) -> v128 {
        let lanes = u16x8(1, 2, 4, 8, 16, 32, 64, 128);
        let bits = v128_and(u16x8_splat((bits >> (8 * index)) as u16), lanes);
        v128_bitselect(kept, dropped, u16x8_eq(bits, lanes))
    }
}
