//! A draw: one layer's noise for one forward call, and its forward and backward over slices.

use std::error::Error;
use std::fmt;

use crate::element::Element;
use crate::kernel::{self, Noise, Operands};
use crate::mask::Mask;

/// One layer's sampled noise for one forward call. Forward and backward need nothing else, so nothing
/// has to be stored between them:
///
/// ```text
/// y  = x  * scale[k]        k = kept or not, read from the mask at the element's index
/// dx = dy * scale[k]
/// ```
///
/// A kept element is multiplied by `1 / (1 - p)`, a dropped one by 0; infinities and NaNs propagate as in
/// any product, and a dropped negative element is `-0.0`, as in PyTorch. The scale is computed as PyTorch
/// computes it: `1 - p` in `f64`, then the quotient in `f64` for `f64` elements and in `f32` for all others.
///
/// A draw covers the whole tensor. For a part of it (a shard, a chunk of a thread), take [`at`](Self::at) the
/// index of the part's first element:
///
/// ```
/// use nn_dropout::{Draw, Mask, Probability};
///
/// let draw = Draw::dropout(Mask::new(42, 0, 0, Probability::new(0.5)?));
/// let x: Vec<f32> = (0..100).map(|i| i as f32).collect();
/// let mut whole = [0.0; 100];
/// draw.forward(&x, &mut whole)?;
///
/// let mut part = [0.0; 63];
/// draw.at(37).forward(&x[37..], &mut part)?;
/// assert_eq!(part, whole[37..]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Draw {
    mask: Mask,
    start: u64,
    kept: Scale,
}

/// What kept elements are multiplied by, in both precisions it is computed in.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Scale {
    pub(crate) single: f32,
    pub(crate) double: f64,
}

impl Draw {
    /// Element-wise dropout: every element has its own bit of `mask`, and a kept one is scaled by
    /// `1 / (1 - p)`.
    pub fn dropout(mask: Mask) -> Self {
        let keep = 1.0 - mask.p().get();
        let kept = if keep == 0.0 {
            // Nothing is kept. A finite scale lets the draw be compared, printed and serialised.
            Scale { single: 0.0, double: 0.0 }
        } else {
            Scale { single: 1.0 / keep as f32, double: 1.0 / keep }
        };
        Self { mask, start: 0, kept }
    }

    /// The mask.
    pub const fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The part of this draw whose first element has index `start` (in this draw, row-major).
    #[must_use]
    pub fn at(&self, start: u64) -> Self {
        Self { start: self.start.wrapping_add(start), ..self.clone() }
    }

    /// Writes the noisy `input` to `output`.
    ///
    /// # Errors
    ///
    /// If the two differ in length; nothing is written then.
    pub fn forward<T: Element>(&self, input: &[T], output: &mut [T]) -> Result<(), LengthMismatch> {
        same_length(["input", "output"], input, output)?;
        self.apply(Operands::new(input, output));
        Ok(())
    }

    /// Overwrites `data` with its noisy self.
    pub fn forward_inplace<T: Element>(&self, data: &mut [T]) {
        self.apply(Operands::inplace(data));
    }

    /// Writes the gradient with respect to the input to `grad_input`, given the one with respect to the output.
    ///
    /// # Errors
    ///
    /// If the two differ in length; nothing is written then.
    pub fn backward<T: Element>(&self, grad_output: &[T], grad_input: &mut [T]) -> Result<(), LengthMismatch> {
        self.forward(grad_output, grad_input)
    }

    /// Overwrites the gradient with respect to the output with the one with respect to the input.
    pub fn backward_inplace<T: Element>(&self, grad: &mut [T]) {
        self.forward_inplace(grad);
    }

    /// Writes `residual` plus the noisy `input` to `output`, in one pass over memory.
    ///
    /// The values are those of the two operations one after the other, each rounded to `T`. The gradient with
    /// respect to the residual is the one with respect to the output; that with respect to the input is
    /// [`backward`](Self::backward)'s.
    ///
    /// ```
    /// use nn_dropout::{Draw, Mask, Probability};
    ///
    /// let draw = Draw::dropout(Mask::new(42, 0, 0, Probability::new(0.5)?));
    /// let mut output = [0f32; 4];
    /// draw.forward_residual(&[1.0, 2.0, 3.0, 4.0], &[0.5; 4], &mut output)?;
    /// assert!(output.iter().zip([1.0, 2.0, 3.0, 4.0]).all(|(&y, x)| y == 0.5 || y == 0.5 + 2.0 * x));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If they differ in length; nothing is written then.
    pub fn forward_residual<T: Element>(
        &self,
        input: &[T],
        residual: &[T],
        output: &mut [T],
    ) -> Result<(), LengthMismatch> {
        same_length(["input", "output"], input, output)?;
        same_length(["residual", "output"], residual, output)?;
        self.apply(Operands::new(input, output).with_residual(residual));
        Ok(())
    }

    /// Adds the noisy `input` to `residual`: see [`forward_residual`](Self::forward_residual).
    ///
    /// # Errors
    ///
    /// If the two differ in length; nothing is written then.
    pub fn forward_residual_inplace<T: Element>(&self, input: &[T], residual: &mut [T]) -> Result<(), LengthMismatch> {
        same_length(["input", "residual"], input, residual)?;
        self.apply(Operands::new(input, residual).accumulate());
        Ok(())
    }

    /// Writes `residual + dropout(input + bias)` to `output`, in one pass over memory. Each row of the tensor, which is
    /// `bias.len()` elements, gets the same bias; so a part of a tensor has to be whole rows.
    ///
    /// The values are those of the three operations one after the other, each rounded to `T`. The gradient with
    /// respect to the residual is the one with respect to the output; the others are
    /// [`backward_bias`](Self::backward_bias)'s.
    ///
    /// # Errors
    ///
    /// If lengths differ, or the output is not a whole number of rows; nothing is written then.
    pub fn forward_bias_residual<T: Element>(
        &self,
        input: &[T],
        bias: &[T],
        residual: &[T],
        output: &mut [T],
    ) -> Result<(), LengthMismatch> {
        same_length(["input", "output"], input, output)?;
        same_length(["residual", "output"], residual, output)?;
        whole_rows(output, bias)?;
        self.apply(Operands::new(input, output).with_bias(bias).with_residual(residual));
        Ok(())
    }

    /// Adds `dropout(input + bias)` to `residual`: see [`forward_bias_residual`](Self::forward_bias_residual).
    ///
    /// # Errors
    ///
    /// If lengths differ, or the residual is not a whole number of rows; nothing is written then.
    pub fn forward_bias_residual_inplace<T: Element>(
        &self,
        input: &[T],
        bias: &[T],
        residual: &mut [T],
    ) -> Result<(), LengthMismatch> {
        same_length(["input", "residual"], input, residual)?;
        whole_rows(residual, bias)?;
        self.apply(Operands::new(input, residual).with_bias(bias).accumulate());
        Ok(())
    }

    /// The backward pass of [`forward_bias_residual`](Self::forward_bias_residual): writes the gradients with respect to
    /// the input and to the bias, given the one with respect to the output. The bias's is the sum of the input's over
    /// all rows, in the order of the rows, in `f64`, and rounded once.
    ///
    /// # Errors
    ///
    /// If the first two differ in length, or are not a whole number of rows; nothing is written then.
    pub fn backward_bias<T: Element>(
        &self,
        grad_output: &[T],
        grad_input: &mut [T],
        grad_bias: &mut [T],
    ) -> Result<(), LengthMismatch> {
        same_length(["grad_output", "grad_input"], grad_output, grad_input)?;
        whole_rows(grad_input, grad_bias)?;
        self.apply(Operands::new(grad_output, grad_input));
        sum_rows(grad_input, grad_bias);
        Ok(())
    }

    /// The same, overwriting the gradient with respect to the output with the one with respect to the input.
    ///
    /// # Errors
    ///
    /// If `grad` is not a whole number of rows; nothing is written then.
    pub fn backward_bias_inplace<T: Element>(&self, grad: &mut [T], grad_bias: &mut [T]) -> Result<(), LengthMismatch> {
        whole_rows(grad, grad_bias)?;
        self.apply(Operands::inplace(grad));
        sum_rows(grad, grad_bias);
        Ok(())
    }

    /// The noisy `input` in memory of its own.
    pub(crate) fn forward_to_vec<T: Element>(&self, input: &[T]) -> Vec<T> {
        kernel::apply_to_vec(self.noise(), self.start, input)
    }

    /// Calls `apply` with each of `elements`, which come in row-major order, and its scale.
    #[cfg(feature = "ndarray")]
    pub(crate) fn scale_each<X, T: Element>(&self, elements: impl Iterator<Item = X>, mut apply: impl FnMut(X, T)) {
        let scales = [T::default(), T::from_scale(self.kept)];
        let mut bits = [0; 64];
        let chunk = 8 * bits.len();
        for (i, element) in elements.enumerate() {
            let bit = i % chunk;
            if bit == 0 {
                self.mask.fill_bits(self.start.wrapping_add(i as u64), &mut bits);
            }
            apply(element, scales[usize::from(bits[bit / 8] >> (bit % 8) & 1)]);
        }
    }

    fn apply<T: Element>(&self, operands: Operands<T>) {
        kernel::apply(self.noise(), self.start, operands);
    }

    fn noise<T: Element>(&self) -> Noise<T> {
        Noise { mask: self.mask, kept: T::from_scale(self.kept) }
    }
}

fn same_length<T>(names: [&'static str; 2], a: &[T], b: &[T]) -> Result<(), LengthMismatch> {
    let lengths = [a.len(), b.len()];
    if lengths[0] == lengths[1] { Ok(()) } else { Err(LengthMismatch::Different { names, lengths }) }
}

fn whole_rows<T>(tensor: &[T], row: &[T]) -> Result<(), LengthMismatch> {
    let (elements, columns) = (tensor.len(), row.len());
    // Of 0, 0 alone is a multiple.
    if elements.is_multiple_of(columns) { Ok(()) } else { Err(LengthMismatch::Rows { elements, columns }) }
}

/// Writes the sum of all rows of `tensor` to `sums`. Each column is summed in the order of the rows.
fn sum_rows<T: Element>(tensor: &[T], sums: &mut [T]) {
    const COLUMNS: usize = 256;
    let columns = sums.len();
    for (i, sums) in sums.chunks_mut(COLUMNS).enumerate() {
        let mut exact = [0f64; COLUMNS];
        for row in tensor.chunks_exact(columns) {
            for (sum, &x) in exact.iter_mut().zip(&row[i * COLUMNS..][..sums.len()]) {
                *sum += x.widen();
            }
        }
        for (sum, exact) in sums.iter_mut().zip(exact) {
            *sum = T::narrow(exact);
        }
    }
}

/// Slices whose lengths do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LengthMismatch {
    /// Two that should have been of the same length.
    Different {
        /// What they are called.
        names: [&'static str; 2],
        /// How many elements they have.
        lengths: [usize; 2],
    },
    /// A tensor that should have been a whole number of rows.
    Rows {
        /// How many elements it has.
        elements: usize,
        /// How many a row has: as many as the bias.
        columns: usize,
    },
}

impl fmt::Display for LengthMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Different { names: [one, other], lengths: [m, n] } => {
                write!(f, "{one} and {other} have to be of the same length, but got {m} and {n} elements")
            }
            Self::Rows { elements, columns } => {
                write!(
                    f,
                    "a tensor has to be whole rows of as many elements as its bias, {columns}, but got {elements} elements"
                )
            }
        }
    }
}

impl Error for LengthMismatch {}
