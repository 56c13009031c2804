//! The loops of one instruction set, as pointers to functions.

use half::{bf16, f16};

use super::affine::Affine;
use super::bits::Mapped;
use super::operands::Operands;

/// [`apply`](super::apply::apply) for each element type.
#[derive(Clone, Copy)]
pub struct Loops {
    pub f32: Apply<f32>,
    pub f64: Apply<f64>,
    pub f16: Apply<f16>,
    pub bf16: Apply<bf16>,
}

/// Applies the numbers to the elements from number `first` on, past the caches if `stream`.
///
/// # Safety
///
/// The CPU has the instructions of the loop.
pub type Apply<T> = unsafe fn(&mut Mapped, Affine<T>, first: u64, Operands<T>, stream: bool);
