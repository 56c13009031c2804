//! The two hot loops, as fast as the CPU allows: draw keep bits, and apply them to elements.
//!
//! One generic algorithm (`generic`), and a short file for each instruction set; plain loops for other people's bits
//! (`vertical`). All of them give the bits and values of the scalar specifications in `mask/` and `random/`.

#![allow(unsafe_code, reason = "instruction sets, memory not yet written and the threads' shares of a slice need it")]
#![allow(
    clippy::inline_always,
    reason = "what is not inlined into a function with the instruction set's features is slow"
)]
#![allow(clippy::wildcard_imports, reason = "of intrinsics, whose names say where they are from")]
#![allow(clippy::needless_range_loop, clippy::similar_names, reason = "registers are numbered, and go by twos")]

mod effect;
mod generic;
mod operands;
mod portable;
mod rounds;
mod source;
#[cfg(test)]
mod tests;
mod threads;
mod vertical;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

use std::env;
use std::sync::LazyLock;

use half::{bf16, f16};

use crate::Element;
use crate::mask::{JaxMask, Mask};
use crate::random::mt19937::Mt19937;
pub(crate) use effect::Effect;
use generic::{Bits, CHUNK, Lanes};
pub(crate) use operands::Operands;
use rounds::Rounds;
use source::{Drawers, Source};

/// The loops for one instruction set.
pub struct Kernel {
    name: &'static str,
    drawers: Drawers,
    sequence_bits: unsafe fn(&mut Mt19937, threshold: u64, count: usize, &mut [u8]),
    pub(crate) f32: Apply<f32>,
    pub(crate) f64: Apply<f64>,
    pub(crate) f16: Apply<f16>,
    pub(crate) bf16: Apply<bf16>,
}

/// See [`generic::apply`].
#[derive(Clone, Copy)]
pub struct Apply<T>(unsafe fn(&mut Source, Effect<T>, start: u64, Operands<T>, stream: bool));

/// A draw as the kernels see it.
#[derive(Clone, Copy)]
pub(crate) struct Noise<'a, T> {
    pub mask: &'a Mask,
    /// How many neighbouring elements share a bit.
    pub share: u64,
    pub effect: Effect<T>,
}

/// The kernel of an instruction set: the generic loops, compiled with its features.
macro_rules! kernel {
    ($name:literal, $isa:ty, $groups:literal groups $(, $feature:literal)?) => {
        kernel!($name, $isa, $groups groups, f16 through $isa $(, $feature)?)
    };
    ($name:literal, $isa:ty, $groups:literal groups, f16 through $f16:ty $(, $feature:literal)?) => {{
        $(#[target_feature(enable = $feature)])?
        unsafe fn philox_bits(rounds: &Rounds, first: u32, count: usize, bits: &mut [u8]) {
            // SAFETY: the caller's.
            unsafe { generic::draw_bits::<$isa, $groups>(rounds, first, count, bits) }
        }

        $(#[target_feature(enable = $feature)])?
        fn jax_bits(mask: &JaxMask, first: u64, count: usize, bits: &mut [u8]) {
            vertical::jax_bits(mask, first, count, bits);
        }

        $(#[target_feature(enable = $feature)])?
        fn sequence_bits(sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
            vertical::sequence_bits(sequence, threshold, count, bits);
        }

        $(#[target_feature(enable = $feature)])?
        unsafe fn apply<I: Lanes<T>, T: Element>(
            source: &mut Source,
            effect: Effect<T>,
            start: u64,
            operands: Operands<T>,
            stream: bool,
        ) {
            // SAFETY: the caller's.
            unsafe { generic::apply::<$isa, $groups, I, T>(source, effect, start, operands, stream) }
        }

        Kernel {
            name: $name,
            drawers: Drawers { philox: philox_bits, jax: jax_bits },
            sequence_bits,
            f32: Apply(apply::<$isa, f32>),
            f64: Apply(apply::<$isa, f64>),
            f16: Apply(apply::<$f16, f16>),
            bf16: Apply(apply::<$isa, bf16>),
        }
    }};
}

/// Those that this CPU can run, the fastest first.
static KERNELS: LazyLock<Vec<Kernel>> = LazyLock::new(|| {
    let mut kernels = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            kernels.push(kernel!("avx512", avx512::Avx512, 4 groups, "avx512f,avx512bw"));
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
            kernels.push(kernel!("avx2", avx2::Avx2, 2 groups, "avx2,f16c"));
        }
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    if std::arch::is_aarch64_feature_detected!("neon") {
        kernels.push(kernel!("neon", neon::Neon, 2 groups, "neon"));
    }
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    kernels.push(kernel!("simd128", simd128::Simd128, 2 groups, f16 through portable::Portable, "simd128"));
    kernels.push(kernel!("portable", portable::Portable, 1 groups));
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
/// If `NN_DROPOUT_KERNEL` names none that the CPU has. So does whatever applies or draws a mask.
pub fn kernel_name() -> &'static str {
    KERNEL.name
}

/// Fills `bits` with the keep bits of `8 * bits.len()` elements from `start` on. Indices wrap around at 2^64.
pub(crate) fn fill_bits(mask: &Mask, start: u64, bits: &mut [u8]) {
    KERNEL.fill_bits(mask, start, bits);
}

/// Fills `bits` with the keep bits of the next `count` elements in a sequence: see [`vertical::sequence_bits`].
pub(crate) fn fill_bits_in_sequence(sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
    KERNEL.fill_bits_in_sequence(sequence, threshold, count, bits);
}

/// Applies `noise`, from its element `start` on.
pub(crate) fn apply<T: Element>(noise: &Noise<T>, start: u64, operands: Operands<T>) {
    let stream = operands.count() * size_of::<T>() >= STREAM;
    threads::apply(*KERNEL, noise, start, operands, stream);
}

/// The noisy `x`, in memory of its own.
pub(crate) fn apply_to_vec<T: Element>(noise: &Noise<T>, start: u64, x: &[T]) -> Vec<T> {
    let mut y = Vec::with_capacity(x.len());
    apply(noise, start, Operands::uninit(x, &mut y.spare_capacity_mut()[..x.len()]));
    // SAFETY: the kernel has written to all elements of the operands.
    unsafe { y.set_len(x.len()) };
    y
}

/// How large an output, in bytes, is written past the caches, where it would not stay anyway.
const STREAM: usize = 8 << 20;

impl Kernel {
    fn source<'a>(&self, mask: &'a Mask, share: u64) -> Source<'a> {
        // SAFETY: the CPU has the instructions of every kernel listed.
        unsafe { Source::new(self.drawers, mask, share) }
    }

    fn fill_bits_in_sequence(&self, sequence: &mut Mt19937, threshold: u64, count: usize, bits: &mut [u8]) {
        // SAFETY: as above.
        unsafe { (self.sequence_bits)(sequence, threshold, count, bits) }
    }

    fn fill_bits(&self, mask: &Mask, start: u64, bits: &mut [u8]) {
        let mut source = self.source(mask, 1);
        let mut drawn: Bits = [0; _];
        let mut start = start;
        for bits in bits.chunks_mut(CHUNK / 8) {
            source.draw(start, 8 * bits.len(), &mut drawn);
            bits.copy_from_slice(&drawn[..bits.len()]);
            start = start.wrapping_add(8 * bits.len() as u64);
        }
    }

    fn apply<T: Element>(&self, noise: &Noise<T>, start: u64, operands: Operands<T>, stream: bool) {
        let mut source = self.source(noise.mask, noise.share);
        // SAFETY: the CPU has the instructions of every kernel listed.
        unsafe { (T::kernel(self).0)(&mut source, noise.effect, start, operands, stream) }
    }
}
