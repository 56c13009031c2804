//! The two hot loops, as fast as the CPU allows: draw bits, and apply them to elements.
//!
//! From the bottom up: what the loops need of an instruction set (`isa`); bits by the three generators (`philox`, `threefry`,
//! `mt19937`), numbers (`numbers`), and both in the order of the elements (`bits`); the loop over elements (`apply`), on several threads (`threads`).
//! All of it gives the bits and values of the specification, whichever instructions the CPU has.

#![allow(unsafe_code, reason = "instruction sets, memory not yet written and the threads' shares of a slice need it")]
#![allow(
    clippy::inline_always,
    reason = "what is not inlined into a function with the instruction set's features is slow"
)]
#![allow(clippy::wildcard_imports, reason = "of intrinsics, whose names say where they are from")]
#![allow(clippy::needless_range_loop, clippy::similar_names, reason = "registers are numbered, and go by twos")]

mod affine;
mod apply;
mod bits;
mod element;
mod isa;
mod mt19937;
mod numbers;
mod operands;
mod philox;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod threefry;

use std::env;
use std::sync::LazyLock;

pub use self::affine::Affine;
use self::bits::{Bits, CHUNK, Drawers, Mapped, Source};
pub use self::element::Element;
use self::isa::Vector;
pub(crate) use self::operands::Operands;
use self::philox::Rounds;
use self::table::Loops;
pub use self::threads::single_threaded;
use crate::spec::index::Index;
use crate::spec::mask::Family;
use crate::spec::mt19937::Mt19937;
use crate::spec::number::Distribution;
use crate::spec::philox::PhiloxMask;
use crate::spec::threefry::JaxMask;

/// How many bits the plain loops of `threefry` and `mt19937` draw at once.
const LANES: usize = 64;

/// The loops for one instruction set.
struct Kernel {
    name: &'static str,
    drawers: Drawers,
    sequence_bits: unsafe fn(&mut Mt19937, threshold: u64, count: usize, &mut [u8]),
    loops: Loops,
    /// Those for elements that get numbers.
    number_loops: Loops,
}

/// The noise of a draw: its mask, which of the mask's bits an element gets, and what they do.
#[derive(Clone, Copy)]
pub(crate) struct Noise<'a, T> {
    pub mask: &'a Family,
    pub index: &'a Index,
    pub affine: Affine<T>,
}

/// The kernel of an instruction set: the generic loops, compiled with its features.
macro_rules! kernel {
    ($name:literal, $isa:ty, $groups:literal groups $(, $feature:literal)?) => {
        kernel!($name, $isa, $groups groups, f16 through $isa $(, $feature)?)
    };
    ($name:literal, $isa:ty, $groups:literal groups, f16 through $f16:ty $(, $feature:literal)?) => {{
        /// # Safety
        ///
        /// The CPU has the features, here and below.
        $(#[target_feature(enable = $feature)])?
        unsafe fn philox_bits(rounds: &Rounds, first: u32, count: usize, bits: &mut [u8]) {
            // SAFETY: the CPU has the features, and this function enables them.
            unsafe { philox::draw_bits::<$isa, $groups>(rounds, first, count, bits) }
        }

        $(#[target_feature(enable = $feature)])?
        fn jax_bits(mask: &JaxMask, first: u64, count: usize, bits: &mut [u8]) {
            threefry::jax_bits(mask, first, count, bits);
        }

        $(#[target_feature(enable = $feature)])?
        fn draw_numbers(mask: &PhiloxMask, distribution: Distribution, start: u64, numbers: &mut [f32]) {
            numbers::draw_numbers(mask, distribution, start, numbers);
        }

        $(#[target_feature(enable = $feature)])?
        fn sequence_bits(sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
            mt19937::sequence_bits(sequence, threshold, count, bits);
        }

        /// # Safety
        ///
        /// The CPU has the features.
        $(#[target_feature(enable = $feature)])?
        unsafe fn apply<I: Vector<T>, T: Element>(
            mapped: &mut Mapped,
            affine: Affine<T>,
            first: u64,
            operands: Operands<T>,
            stream: bool,
        ) {
            // SAFETY: the CPU has the features, and this function enables them.
            unsafe { apply::apply::<$isa, $groups, I, T>(mapped, affine, first, operands, stream) }
        }

        /// # Safety
        ///
        /// The CPU has the features.
        $(#[target_feature(enable = $feature)])?
        unsafe fn apply_numbers<I: Vector<T>, T: Element>(
            mapped: &mut Mapped,
            affine: Affine<T>,
            first: u64,
            operands: Operands<T>,
            _stream: bool,
        ) {
            // SAFETY: the CPU has the features, and this function enables them.
            unsafe { apply::apply_numbers::<I, T>(mapped, affine, first, operands) }
        }

        Kernel {
            name: $name,
            drawers: Drawers { philox: philox_bits, jax: jax_bits, numbers: draw_numbers },
            sequence_bits,
            loops: Loops {
                f32: apply::<$isa, f32>,
                f64: apply::<$isa, f64>,
                f16: apply::<$f16, half::f16>,
                bf16: apply::<$isa, half::bf16>,
            },
            number_loops: Loops {
                f32: apply_numbers::<$isa, f32>,
                f64: apply_numbers::<$isa, f64>,
                f16: apply_numbers::<$f16, half::f16>,
                bf16: apply_numbers::<$isa, half::bf16>,
            },
        }
    }};
}

/// Those that this CPU can run, the fastest first.
static KERNELS: LazyLock<Vec<Kernel>> = LazyLock::new(|| {
    let mut kernels = Vec::new();
    // Miri has no vector instructions.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            kernels.push(kernel!("avx512", isa::avx512::Avx512, 4 groups, "avx512f,avx512bw"));
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
            kernels.push(kernel!("avx2", isa::avx2::Avx2, 2 groups, "avx2,f16c"));
        }
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little", not(miri)))]
    if std::arch::is_aarch64_feature_detected!("neon") {
        kernels.push(kernel!("neon", isa::neon::Neon, 2 groups, "neon"));
    }
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    kernels.push(kernel!("simd128", isa::simd128::Simd128, 2 groups, f16 through isa::portable::Portable, "simd128"));
    // A program with simd128 runs nowhere without it, and should be small.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    kernels.push(kernel!("portable", isa::portable::Portable, 1 groups));
    kernels
});

/// Names the kernel to use instead of the fastest.
const VARIABLE: &str = "NN_DROPOUT_KERNEL";

/// The kernel in use, chosen once.
static KERNEL: LazyLock<&'static Kernel> = LazyLock::new(|| {
    let Ok(wanted) = env::var(VARIABLE) else {
        return &KERNELS[0];
    };
    KERNELS.iter().find(|kernel| kernel.name == wanted).unwrap_or_else(|| {
        let names: Vec<&str> = KERNELS.iter().map(|kernel| kernel.name).collect();
        panic!("{VARIABLE} has to be one of {} on this CPU, but got {wanted}", names.join(", "))
    })
});

/// The instruction set in use: `avx512`, `avx2`, `neon`, `simd128` or `portable`.
///
/// It is the widest that the CPU has (for WebAssembly: that the program was compiled for), unless the environment
/// variable `NN_DROPOUT_KERNEL` names another. All of them give the same bits and values.
///
/// # Panics
///
/// If `NN_DROPOUT_KERNEL` names an instruction set that the CPU does not have. So does everything that applies or draws a
/// mask.
pub fn kernel_name() -> &'static str {
    KERNEL.name
}

/// Fills `bits` with the mask's `8 * bits.len()` bits from number `start` on. Numbers wrap around at 2^64.
pub(crate) fn fill_bits(mask: &Family, start: u64, bits: &mut [u8]) {
    KERNEL.fill_bits(mask, start, bits);
}

/// Fills `bits` with the next `count` bits of a sequence: see [`mt19937::sequence_bits`].
pub(crate) fn fill_bits_in_sequence(sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
    KERNEL.fill_bits_in_sequence(sequence, threshold, count, bits);
}

/// Applies `noise` to `operands`, which are its elements from number `first` on.
#[inline]
pub(crate) fn apply<T: Element>(noise: &Noise<T>, first: u64, operands: Operands<T>) {
    let (kernel, stream) = (*KERNEL, operands.count() * size_of::<T>() >= STREAM);
    threads::share_out(operands, first, &|operands, first| kernel.apply(noise, first, operands, stream));
}

/// The noisy `x`, in memory of its own.
pub(crate) fn apply_to_vec<T: Element>(noise: &Noise<T>, x: &[T]) -> Vec<T> {
    let mut y = Vec::with_capacity(x.len());
    apply(noise, 0, Operands::uninit(x, &mut y.spare_capacity_mut()[..x.len()]));
    // SAFETY: the kernel has written all elements of the operands.
    unsafe { y.set_len(x.len()) };
    y
}

/// How large an output, in bytes, is written past the caches, where it would not stay anyway.
const STREAM: usize = 8 << 20;

impl Kernel {
    #[inline(always)]
    fn source<'a>(&self, mask: &'a Family) -> Source<'a> {
        // SAFETY: the CPU was asked before a kernel was listed.
        unsafe { Source::new(self.drawers, mask) }
    }

    fn fill_bits_in_sequence(&self, sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
        // SAFETY: as above.
        unsafe { (self.sequence_bits)(sequence, threshold, count, bits) }
    }

    fn fill_bits(&self, mask: &Family, start: u64, bits: &mut [u8]) {
        let mut source = self.source(mask);
        let mut drawn: Bits = [0; _];
        let mut start = start;
        for bits in bits.chunks_mut(CHUNK / 8) {
            source.draw(start, 8 * bits.len(), &mut drawn);
            bits.copy_from_slice(&drawn[..bits.len()]);
            start = start.wrapping_add(8 * bits.len() as u64);
        }
    }

    #[inline]
    fn apply<T: Element>(&self, noise: &Noise<T>, first: u64, operands: Operands<T>, stream: bool) {
        let mut mapped = Mapped::new(self.source(noise.mask), noise.index);
        let loops = if noise.affine.takes_numbers() { &self.number_loops } else { &self.loops };
        // SAFETY: as above.
        unsafe { T::apply(loops)(&mut mapped, noise.affine, first, operands, stream) }
    }
}
