//! What the loops need of an instruction set, and one file for each instruction set.
//!
//! [`Blocks`] is 32-bit arithmetic on several Philox blocks at once, and [`Vector`] a register full of elements. The loops
//! are generic over both; a file here implements the two traits and nothing else.
//!
//! All methods are `unsafe` for one reason: they may use instructions that not every CPU has. A caller has to be inlined into
//! a function that enables them, which is called only where the CPU has been asked: see `kernel!` in the parent module. What
//! else a method asks for, it says.

pub mod portable;

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod simd128;

/// 32-bit arithmetic on several Philox blocks at once: what drawing bits needs.
///
/// # Safety
///
/// The CPU has the instructions, and they are enabled in the caller.
pub trait Blocks {
    /// The number of blocks; at most 8.
    const BLOCKS: usize;

    /// A word of each block.
    type Words: Copy;

    /// The 64-bit product of two such words.
    type Products: Copy;

    /// Two neighbouring words of each block.
    type Pairs: Copy;

    /// The sixteen-bit lanes of all blocks, in the order of the bits that they decide about.
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

/// A register full of `T`: what applying bits needs.
///
/// # Safety
///
/// The CPU has the instructions, and they are enabled in the caller.
pub trait Vector<T> {
    /// The number of elements: a power of two, at most 32.
    const COUNT: usize;

    type Register: Copy;

    unsafe fn splat(value: T) -> Self::Register;

    /// # Safety
    ///
    /// `COUNT` elements can be read at `from`.
    unsafe fn load(from: *const T) -> Self::Register;

    /// # Safety
    ///
    /// `COUNT` elements can be written at `to`.
    unsafe fn store(to: *mut T, register: Self::Register);

    /// Stores past the caches.
    ///
    /// # Safety
    ///
    /// `COUNT` elements can be written at `to`, which is aligned to a cache line of 64 bytes.
    unsafe fn stream(to: *mut T, register: Self::Register) {
        // SAFETY: `store` asks for less.
        unsafe { Self::store(to, register) }
    }

    /// Orders what was streamed before all later stores.
    unsafe fn fence() {}

    /// `kept` where the element's bit is set, else `dropped`. The bit of the first element is bit `COUNT * index` of `bits`.
    unsafe fn select(bits: u32, index: usize, kept: Self::Register, dropped: Self::Register) -> Self::Register;

    /// The product, rounded to `T`.
    unsafe fn mul(a: Self::Register, b: Self::Register) -> Self::Register;

    /// The quotient, rounded to `T`.
    unsafe fn div(a: Self::Register, b: Self::Register) -> Self::Register;

    /// The sum, rounded to `T`.
    unsafe fn add(a: Self::Register, b: Self::Register) -> Self::Register;
}

/// The arithmetic of a [`Vector`] of `f16` or `bf16`: in `f32` and rounded, as PyTorch does it. `$widen` makes two registers
/// of `f32` from one, with the elements in any order, and `$narrow` one from two, rounding half to even.
macro_rules! arithmetic_in_f32 {
    ($feature:literal, $widen:ident, $narrow:ident) => {
        arithmetic_in_f32!(mul, $feature, $widen, $narrow);
        arithmetic_in_f32!(div, $feature, $widen, $narrow);
        arithmetic_in_f32!(add, $feature, $widen, $narrow);
    };
    ($operation:ident, $feature:literal, $widen:ident, $narrow:ident) => {
        #[inline]
        #[target_feature(enable = $feature)]
        unsafe fn $operation(a: Self::Register, b: Self::Register) -> Self::Register {
            let ([a0, a1], [b0, b1]) = ($widen(a), $widen(b));
            // SAFETY: the instructions are those that this function enables.
            unsafe {
                let first = <Self as Vector<f32>>::$operation(a0, b0);
                $narrow([first, <Self as Vector<f32>>::$operation(a1, b1)])
            }
        }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "wasm32"))]
use arithmetic_in_f32;
