//! For every CPU: plain arithmetic, one element at a time, on which the compiler may do what it can.

use std::array::from_fn;
use std::ops::{Add, Div, Mul};

use super::{Blocks, Vector};

pub struct Portable;

const BLOCKS: usize = 4;

impl Blocks for Portable {
    const BLOCKS: usize = BLOCKS;
    type Words = [u32; BLOCKS];
    type Products = [u64; BLOCKS];
    type Pairs = [[u32; BLOCKS]; 2];
    type Lanes = [u16; 8 * BLOCKS];

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self::Words {
        [word; BLOCKS]
    }

    #[inline(always)]
    unsafe fn ascending() -> Self::Words {
        from_fn(|i| i as u32)
    }

    #[inline(always)]
    unsafe fn add(a: Self::Words, b: Self::Words) -> Self::Words {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    unsafe fn product(a: Self::Words, b: Self::Words) -> Self::Products {
        from_fn(|i| u64::from(a[i]) * u64::from(b[i]))
    }

    #[inline(always)]
    unsafe fn high(products: Self::Products) -> Self::Words {
        products.map(|product| (product >> 32) as u32)
    }

    #[inline(always)]
    unsafe fn low(products: Self::Products) -> Self::Words {
        products.map(|product| product as u32)
    }

    #[inline(always)]
    unsafe fn xor(a: Self::Words, b: Self::Words) -> Self::Words {
        from_fn(|i| a[i] ^ b[i])
    }

    #[inline(always)]
    unsafe fn xor3(a: Self::Words, b: Self::Words, c: Self::Words) -> Self::Words {
        from_fn(|i| a[i] ^ b[i] ^ c[i])
    }

    #[inline(always)]
    unsafe fn pairs(products: Self::Products, a: Self::Words, b: Self::Words) -> Self::Pairs {
        [from_fn(|i| (products[i] >> 32) as u32 ^ a[i] ^ b[i]), products.map(|product| product as u32)]
    }

    #[inline(always)]
    unsafe fn lanes([c0, c1]: Self::Pairs, [c2, c3]: Self::Pairs) -> Self::Lanes {
        let words = [c0, c1, c2, c3];
        from_fn(|i| (words[i / 2 % 4][i / 8] >> (16 * (i % 2))) as u16)
    }

    #[inline(always)]
    unsafe fn below(lanes: Self::Lanes, threshold: u16) -> u64 {
        pack(lanes.map(|lane| lane < threshold))
    }

    #[inline(always)]
    unsafe fn equal(lanes: Self::Lanes, threshold: u16) -> u64 {
        pack(lanes.map(|lane| lane == threshold))
    }

    #[inline(always)]
    unsafe fn any_equal<const N: usize>(lanes: &[Self::Lanes; N], threshold: u16) -> bool {
        lanes.iter().flatten().any(|&lane| lane == threshold)
    }
}

#[inline(always)]
fn pack(flags: [bool; 8 * BLOCKS]) -> u64 {
    flags.iter().rev().fold(0, |bits, &flag| bits << 1 | u64::from(flag))
}

impl<T: Copy + Mul<Output = T> + Div<Output = T> + Add<Output = T>> Vector<T> for Portable {
    const COUNT: usize = 1;
    type Register = T;

    #[inline(always)]
    unsafe fn splat(value: T) -> T {
        value
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> T {
        // SAFETY: `COUNT` elements can be read at `from`.
        unsafe { from.read() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut T, register: T) {
        // SAFETY: `COUNT` elements can be written at `to`.
        unsafe { to.write(register) }
    }

    #[inline(always)]
    unsafe fn select(bits: u32, index: usize, kept: T, dropped: T) -> T {
        if bits >> index & 1 == 1 { kept } else { dropped }
    }

    #[inline(always)]
    unsafe fn mul(a: T, b: T) -> T {
        a * b
    }

    #[inline(always)]
    unsafe fn div(a: T, b: T) -> T {
        a / b
    }

    #[inline(always)]
    unsafe fn add(a: T, b: T) -> T {
        a + b
    }
}
