//! The tensors that the contenders work on.

use candle_core::WithDType;

/// Tensors for contenders that write where they are told to; the others bring their own.
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

impl<T: WithDType> Memory<T> {
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
