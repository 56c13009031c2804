//! AArch64 with NEON.

use std::arch::aarch64::*;
use std::arch::asm;

use half::{bf16, f16};

use super::{Blocks, Vector, arithmetic_in_f32};

pub struct Neon;

impl Blocks for Neon {
    const BLOCKS: usize = 4;
    type Words = uint32x4_t;
    /// Those of the first two blocks, and those of the others.
    type Products = [uint64x2_t; 2];
    type Pairs = [uint32x4_t; 2];
    type Lanes = [uint16x8_t; 4];

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn splat(word: u32) -> uint32x4_t {
        vdupq_n_u32(word)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn ascending() -> uint32x4_t {
        // SAFETY: the array has as many words as are read.
        unsafe { vld1q_u32([0, 1, 2, 3].as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn add(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        vaddq_u32(a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn xor(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        veorq_u32(a, b)
    }

    /// The last two first: neither waits for a product.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn xor3(a: uint32x4_t, b: uint32x4_t, c: uint32x4_t) -> uint32x4_t {
        veorq_u32(a, veorq_u32(b, c))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn product(a: uint32x4_t, b: uint32x4_t) -> [uint64x2_t; 2] {
        [vmull_u32(vget_low_u32(a), vget_low_u32(b)), vmull_high_u32(a, b)]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn high(products: [uint64x2_t; 2]) -> uint32x4_t {
        let [first, last] = products;
        vuzp2q_u32(vreinterpretq_u32_u64(first), vreinterpretq_u32_u64(last))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn low(products: [uint64x2_t; 2]) -> uint32x4_t {
        let [first, last] = products;
        vuzp1q_u32(vreinterpretq_u32_u64(first), vreinterpretq_u32_u64(last))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pairs(products: [uint64x2_t; 2], a: uint32x4_t, b: uint32x4_t) -> [uint32x4_t; 2] {
        // SAFETY: the instructions are those that this function enables.
        unsafe { [Self::xor3(Self::high(products), a, b), Self::low(products)] }
    }

    /// Transposed: a block a register.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn lanes([c0, c1]: [uint32x4_t; 2], [c2, c3]: [uint32x4_t; 2]) -> [uint16x8_t; 4] {
        let first = [vreinterpretq_u64_u32(vzip1q_u32(c0, c1)), vreinterpretq_u64_u32(vzip1q_u32(c2, c3))];
        let last = [vreinterpretq_u64_u32(vzip2q_u32(c0, c1)), vreinterpretq_u64_u32(vzip2q_u32(c2, c3))];
        [
            vreinterpretq_u16_u64(vzip1q_u64(first[0], first[1])),
            vreinterpretq_u16_u64(vzip2q_u64(first[0], first[1])),
            vreinterpretq_u16_u64(vzip1q_u64(last[0], last[1])),
            vreinterpretq_u16_u64(vzip2q_u64(last[0], last[1])),
        ]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn below(lanes: [uint16x8_t; 4], threshold: u16) -> u64 {
        let threshold = vdupq_n_u16(threshold);
        let [a, b, c, d] = lanes;
        flags([vcltq_u16(a, threshold), vcltq_u16(b, threshold), vcltq_u16(c, threshold), vcltq_u16(d, threshold)])
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn equal(lanes: [uint16x8_t; 4], threshold: u16) -> u64 {
        let threshold = vdupq_n_u16(threshold);
        let [a, b, c, d] = lanes;
        flags([vceqq_u16(a, threshold), vceqq_u16(b, threshold), vceqq_u16(c, threshold), vceqq_u16(d, threshold)])
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn any_equal<const N: usize>(lanes: &[[uint16x8_t; 4]; N], threshold: u16) -> bool {
        let threshold = vdupq_n_u16(threshold);
        let mut any = vdupq_n_u16(0);
        for lanes in lanes {
            for lanes in lanes {
                any = vorrq_u16(any, vceqq_u16(*lanes, threshold));
            }
        }
        vmaxvq_u16(any) != 0
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn prefetch(address: *const u8) {
        // SAFETY: a prefetch has no effect but on the caches, whatever the address.
        unsafe { asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly)) }
    }
}

/// A bit for each sixteen-bit lane, which holds all ones or 0.
#[inline]
#[target_feature(enable = "neon")]
fn flags([a, b, c, d]: [uint16x8_t; 4]) -> u64 {
    // SAFETY: the array has as many bytes as are read.
    let weights = unsafe { vld1q_u8([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128].as_ptr()) };
    let first = vandq_u8(vuzp1q_u8(vreinterpretq_u8_u16(a), vreinterpretq_u8_u16(b)), weights);
    let last = vandq_u8(vuzp1q_u8(vreinterpretq_u8_u16(c), vreinterpretq_u8_u16(d)), weights);
    let mut sums = vpaddq_u8(first, last);
    sums = vpaddq_u8(sums, sums);
    sums = vpaddq_u8(sums, sums);
    u64::from(vgetq_lane_u32::<0>(vreinterpretq_u32_u8(sums)))
}

impl Vector<f32> for Neon {
    const COUNT: usize = 4;
    type Register = float32x4_t;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn splat(value: f32) -> float32x4_t {
        vdupq_n_f32(value)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn load(from: *const f32) -> float32x4_t {
        // SAFETY: `COUNT` elements can be read at `from`.
        unsafe { vld1q_f32(from) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn store(to: *mut f32, register: float32x4_t) {
        // SAFETY: `COUNT` elements can be written at `to`.
        unsafe { vst1q_f32(to, register) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn select(bits: u32, index: usize, kept: float32x4_t, dropped: float32x4_t) -> float32x4_t {
        // SAFETY: the array has as many words as are read.
        let lanes = unsafe { vld1q_u32([1, 2, 4, 8].as_ptr()) };
        vbslq_f32(vtstq_u32(vdupq_n_u32(bits >> (4 * index)), lanes), kept, dropped)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vmulq_f32(a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vdivq_f32(a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vaddq_f32(a, b)
    }
}

impl Vector<f64> for Neon {
    const COUNT: usize = 2;
    type Register = float64x2_t;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn splat(value: f64) -> float64x2_t {
        vdupq_n_f64(value)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn load(from: *const f64) -> float64x2_t {
        // SAFETY: `COUNT` elements can be read at `from`.
        unsafe { vld1q_f64(from) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn store(to: *mut f64, register: float64x2_t) {
        // SAFETY: `COUNT` elements can be written at `to`.
        unsafe { vst1q_f64(to, register) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn select(bits: u32, index: usize, kept: float64x2_t, dropped: float64x2_t) -> float64x2_t {
        // SAFETY: the array has as many words as are read.
        let lanes = unsafe { vld1q_u64([1, 2].as_ptr()) };
        vbslq_f64(vtstq_u64(vdupq_n_u64(u64::from(bits >> (2 * index))), lanes), kept, dropped)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn mul(a: float64x2_t, b: float64x2_t) -> float64x2_t {
        vmulq_f64(a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn div(a: float64x2_t, b: float64x2_t) -> float64x2_t {
        vdivq_f64(a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn add(a: float64x2_t, b: float64x2_t) -> float64x2_t {
        vaddq_f64(a, b)
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn widen_f16(register: uint16x8_t) -> [float32x4_t; 2] {
    let register = vreinterpretq_f16_u16(register);
    [vcvt_f32_f16(vget_low_f16(register)), vcvt_high_f32_f16(register)]
}

#[inline]
#[target_feature(enable = "neon")]
fn narrow_f16([low, high]: [float32x4_t; 2]) -> uint16x8_t {
    vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(low), high))
}

/// bf16 is the upper half of an f32.
#[inline]
#[target_feature(enable = "neon")]
fn widen_bf16(register: uint16x8_t) -> [float32x4_t; 2] {
    let (low, high) = (vshll_n_u16::<16>(vget_low_u16(register)), vshll_high_n_u16::<16>(register));
    [vreinterpretq_f32_u32(low), vreinterpretq_f32_u32(high)]
}

/// Rounds half to even to what the upper half can hold. A NaN from bf16 has nothing in the lower half, and stays one.
#[inline]
#[target_feature(enable = "neon")]
fn narrow_bf16([low, high]: [float32x4_t; 2]) -> uint16x8_t {
    vuzp2q_u16(round_to_bf16(low), round_to_bf16(high))
}

#[inline]
#[target_feature(enable = "neon")]
fn round_to_bf16(number: float32x4_t) -> uint16x8_t {
    let bits = vreinterpretq_u32_f32(number);
    let is_odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
    vreinterpretq_u16_u32(vaddq_u32(bits, vaddq_u32(is_odd, vdupq_n_u32(0x7FFF))))
}

/// A register of 16-bit floats.
macro_rules! half {
    ($element:ty, $widen:ident, $narrow:ident) => {
        impl Vector<$element> for Neon {
            const COUNT: usize = 8;
            type Register = uint16x8_t;

            arithmetic_in_f32!("neon", $widen, $narrow);

            #[inline]
            #[target_feature(enable = "neon")]
            unsafe fn splat(value: $element) -> uint16x8_t {
                vdupq_n_u16(value.to_bits())
            }

            #[inline]
            #[target_feature(enable = "neon")]
            unsafe fn load(from: *const $element) -> uint16x8_t {
                // SAFETY: `COUNT` elements can be read at `from`.
                unsafe { vld1q_u16(from.cast::<u16>()) }
            }

            #[inline]
            #[target_feature(enable = "neon")]
            unsafe fn store(to: *mut $element, register: uint16x8_t) {
                // SAFETY: `COUNT` elements can be written at `to`.
                unsafe { vst1q_u16(to.cast::<u16>(), register) }
            }

            #[inline]
            #[target_feature(enable = "neon")]
            unsafe fn select(bits: u32, index: usize, kept: uint16x8_t, dropped: uint16x8_t) -> uint16x8_t {
                // SAFETY: the array has as many words as are read.
                let lanes = unsafe { vld1q_u16([1, 2, 4, 8, 16, 32, 64, 128].as_ptr()) };
                vbslq_u16(vtstq_u16(vdupq_n_u16((bits >> (8 * index)) as u16), lanes), kept, dropped)
            }
        }
    };
}
half!(f16, widen_f16, narrow_f16);
half!(bf16, widen_bf16, narrow_bf16);
