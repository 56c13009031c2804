//! Those that are compared, a file each, and the memory they work on.

mod burn;
mod candle;
mod multiply;
mod ours;
pub mod python;

use anyhow::Result;
use candle_core::WithDType;

use crate::measure::{Effort, Measured, measure};
use crate::{Case, Op};
use python::Python;

pub const OURS: &str = "nn-dropout";
pub const OURS_ALLOC: &str = "nn-dropout:alloc";
/// With the masks of PyTorch and of JAX.
pub const OURS_TORCH: &str = "nn-dropout:torch";
pub const OURS_JAX: &str = "nn-dropout:jax";
pub const ALL_OURS: [&str; 4] = [OURS, OURS_ALLOC, OURS_TORCH, OURS_JAX];
/// Who draws the same masks as who.
pub const SAME_MASKS: [(&str, &str); 2] = [(OURS_TORCH, "pytorch"), (OURS_JAX, "jax")];
pub const MULTIPLY: &str = "multiply";

/// An element type that everyone here can work with.
pub trait Number: nn_dropout::Element + multiply::Registers + WithDType + ::burn::tensor::Element {}

impl<T: nn_dropout::Element + multiply::Registers + WithDType + ::burn::tensor::Element> Number for T {}

/// Measures everyone who has something to show in this case.
pub fn compete<T: Number>(case: Case, p: f64, pythons: &mut [Python], effort: Effort) -> Result<Vec<Measured>> {
    let mut memory = Memory::<T>::new(case.elements);
    let mut buffers = memory.buffers();
    let mut contenders = ours::contenders(case.op, p)?;
    if case.op != Op::Bits {
        contenders.extend(multiply::contenders(case, p));
        contenders.push(candle::contender(case.op, p, buffers.input)?);
        contenders.push(burn::contender(case.op, p, buffers.input));
        contenders.extend(pythons.iter_mut().map(|python| python.contender(case, p)));
    }
    measure(&mut contenders, &mut buffers, effort)
}

/// What those share that write where they are told to; the others bring tensors of their own.
pub struct Buffers<'a, T> {
    pub input: &'a [T],
    /// The residual, or the gradient with respect to the output.
    pub second: &'a [T],
    pub output: &'a mut [T],
    pub grad_input: &'a mut [T],
    pub bits: &'a mut [u8],
}

/// Owns what [`Buffers`] lends.
pub struct Memory<T> {
    elements: usize,
    tensors: [Vec<T>; 4],
    bits: Vec<u8>,
}

/// Buffers start where a cache line does, as the tensors of PyTorch and JAX do.
const ALIGNMENT: usize = 64;

impl<T: Number> Memory<T> {
    pub fn new(elements: usize) -> Self {
        let some_numbers = || (0..elements + ALIGNMENT).map(|i| T::from_f64((i % 251) as f64 / 251.0 - 0.5)).collect();
        Self {
            elements,
            tensors: [some_numbers(), some_numbers(), some_numbers(), some_numbers()],
            bits: vec![0; elements.div_ceil(8) + ALIGNMENT],
        }
    }

    pub fn buffers(&mut self) -> Buffers<'_, T> {
        let [input, second, output, grad_input] = self.tensors.each_mut().map(|tensor| aligned(tensor, self.elements));
        Buffers { input, second, output, grad_input, bits: aligned(&mut self.bits, self.elements.div_ceil(8)) }
    }
}

fn aligned<T>(memory: &mut [T], count: usize) -> &mut [T] {
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    &mut memory[start..start + count]
}
