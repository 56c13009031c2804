//! A draw: one layer's noise for one forward call, and its forward and backward over slices.

use std::error::Error;
use std::fmt;

use crate::element::Element;
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
        if input.len() != output.len() {
            return Err(LengthMismatch { input: input.len(), output: output.len() });
        }
        self.scale_each(input.iter().zip(output), |(x, y), scale| *y = *x * scale);
        Ok(())
    }

    /// Overwrites `data` with its noisy self.
    pub fn forward_inplace<T: Element>(&self, data: &mut [T]) {
        self.scale_each(data.iter_mut(), |x, scale| *x = *x * scale);
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

    /// Calls `apply` with each of `elements`, which come in row-major order, and its scale.
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
}

/// An input and an output that should have been of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthMismatch {
    input: usize,
    output: usize,
}

impl fmt::Display for LengthMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, output } = self;
        write!(f, "input and output have to be of the same length, but got {input} and {output} elements")
    }
}

impl Error for LengthMismatch {}
