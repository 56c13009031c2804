//! A draw: one layer's noise for one forward call, and its forward and backward over slices.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;

use crate::element::Element;
use crate::kernel::{self, Noise, Operands};
use crate::mask::{Kind, Mask};

/// One layer's sampled noise for one forward call. Forward and backward need nothing else:
///
/// ```text
/// y  = x  * scale[k] + shift[k]        k = kept or not, read from the mask at the element's mask index
/// dx = dy * scale[k]
/// ```
///
/// In [dropout](Self::dropout) a kept element is multiplied by `1 / (1 - p)`, a dropped one by 0, and there is no shift;
/// [alpha dropout](Self::alpha) has other scales and shifts. Infinities and NaNs propagate as in any product, and a
/// dropped negative element is `-0.0`, as in PyTorch. Scales and shifts are computed as PyTorch computes them: in `f64`
/// for `f64` elements and in `f32` for all others, and rounded to the element type.
///
/// With one of [JAX's masks](Mask::jax) dropout is what Equinox's and Flax's is: `where(kept, x / (1 - p), 0)`.
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
    effect: Effect,
    /// The index of the first element.
    start: u64,
    /// How many neighbouring elements share a bit of the mask; `None` where every element has its own.
    share: Option<NonZeroU64>,
}

/// What happens to kept and dropped elements.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
enum Effect {
    Dropout,
    /// The same as JAX writes it.
    JaxDropout,
    Alpha,
    /// Alpha dropout's scales without its shifts.
    AlphaGradient,
}

/// What SELU's negative branch tends to, negated: its scale times its alpha, to the digits that PyTorch has.
const SELU_LIMIT: f64 = 1.758_099_340_847_376_6;

impl Draw {
    /// Dropout: kept elements are scaled by `1 / (1 - p)`, dropped ones are zeroed.
    ///
    /// Every element has its own bit of `mask`, here and in [`alpha`](Self::alpha), unless
    /// [some share one](Self::with_shared_bits).
    pub const fn dropout(mask: Mask) -> Self {
        let effect = match mask.0 {
            Kind::Jax(_) => Effect::JaxDropout,
            _ => Effect::Dropout,
        };
        Self { mask, effect, start: 0, share: None }
    }

    /// Alpha dropout: dropped elements become the limit of SELU's negative branch, and all are then scaled and shifted so
    /// that mean and variance stay what they were.
    ///
    /// Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017. At p = 1 all
    /// elements are zeroed, as in PyTorch.
    pub const fn alpha(mask: Mask) -> Self {
        let effect = if mask.p().get() == 1.0 { Effect::Dropout } else { Effect::Alpha };
        Self { mask, effect, start: 0, share: None }
    }

    /// Lets each bit of the mask decide about `count` neighbouring elements: all those of a channel, where the channel is
    /// what is dropped. (0 is taken for 1.)
    ///
    /// ```
    /// use nn_dropout::{Draw, Mask, Probability};
    ///
    /// let draw = Draw::dropout(Mask::new(42, 0, 0, Probability::new(0.5)?)).with_shared_bits(3);
    /// let mut y = [1f32; 12];
    /// draw.forward_inplace(&mut y)?;
    /// assert!(y.chunks(3).all(|channel| channel == [0.0; 3] || channel == [2.0; 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_shared_bits(self, count: u64) -> Self {
        Self { share: NonZeroU64::new(count).or(Some(NonZeroU64::MIN)), ..self }
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

    /// The draw whose forward is this one's [`backward`](Self::backward): the same scales, and no shifts.
    #[must_use]
    pub fn gradient(&self) -> Self {
        let effect = match self.effect {
            Effect::Alpha => Effect::AlphaGradient,
            other => other,
        };
        Self { effect, ..self.clone() }
    }

    /// Whether elements are to be counted in the order in which they lie in memory, not in row-major order: PyTorch fills
    /// noise of a tensor's shape so.
    #[cfg(feature = "ndarray")]
    pub(crate) fn follows_memory(&self) -> bool {
        matches!(self.mask.0, Kind::Stored(_)) && self.share.is_none()
    }

    /// Writes the noisy `input` to `output`.
    ///
    /// # Errors
    ///
    /// If the two differ in length, or the mask has an end before theirs; nothing is written then.
    pub fn forward<T: Element>(&self, input: &[T], output: &mut [T]) -> Result<(), LengthMismatch> {
        same_length(["input", "output"], input, output)?;
        self.apply(Operands::new(input, output))
    }

    /// Overwrites `data` with its noisy self.
    ///
    /// # Errors
    ///
    /// If the mask has an end before that of the data; nothing is written then.
    pub fn forward_inplace<T: Element>(&self, data: &mut [T]) -> Result<(), LengthMismatch> {
        self.apply(Operands::inplace(data))
    }

    /// Writes the gradient with respect to the input to `grad_input`, given the one with respect to the output.
    ///
    /// # Errors
    ///
    /// If the two differ in length, or the mask has an end before theirs; nothing is written then.
    pub fn backward<T: Element>(&self, grad_output: &[T], grad_input: &mut [T]) -> Result<(), LengthMismatch> {
        self.gradient().forward(grad_output, grad_input)
    }

    /// Overwrites the gradient with respect to the output with the one with respect to the input.
    ///
    /// # Errors
    ///
    /// If the mask has an end before that of the gradient; nothing is written then.
    pub fn backward_inplace<T: Element>(&self, grad: &mut [T]) -> Result<(), LengthMismatch> {
        self.gradient().forward_inplace(grad)
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
    /// If they differ in length, or the mask has an end before theirs; nothing is written then.
    pub fn forward_residual<T: Element>(
        &self,
        input: &[T],
        residual: &[T],
        output: &mut [T],
    ) -> Result<(), LengthMismatch> {
        same_length(["input", "output"], input, output)?;
        same_length(["residual", "output"], residual, output)?;
        self.apply(Operands::new(input, output).with_residual(residual))
    }

    /// Adds the noisy `input` to `residual`: see [`forward_residual`](Self::forward_residual).
    ///
    /// # Errors
    ///
    /// If the two differ in length, or the mask has an end before theirs; nothing is written then.
    pub fn forward_residual_inplace<T: Element>(&self, input: &[T], residual: &mut [T]) -> Result<(), LengthMismatch> {
        same_length(["input", "residual"], input, residual)?;
        self.apply(Operands::new(input, residual).accumulate())
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
    /// If lengths differ, the output is not a whole number of rows, or the mask has an end before its; nothing is written then.
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
        self.apply(Operands::new(input, output).with_bias(bias).with_residual(residual))
    }

    /// Adds `dropout(input + bias)` to `residual`: see [`forward_bias_residual`](Self::forward_bias_residual).
    ///
    /// # Errors
    ///
    /// If lengths differ, the residual is not a whole number of rows, or the mask has an end before its; nothing is written
    /// then.
    pub fn forward_bias_residual_inplace<T: Element>(
        &self,
        input: &[T],
        bias: &[T],
        residual: &mut [T],
    ) -> Result<(), LengthMismatch> {
        same_length(["input", "residual"], input, residual)?;
        whole_rows(residual, bias)?;
        self.apply(Operands::new(input, residual).with_bias(bias).accumulate())
    }

    /// The backward pass of [`forward_bias_residual`](Self::forward_bias_residual): writes the gradients with respect to
    /// the input and to the bias, given the one with respect to the output. The bias's is the sum of the input's over
    /// all rows, in the order of the rows, in `f64`, and rounded once.
    ///
    /// # Errors
    ///
    /// If the first two differ in length or are not a whole number of rows, or the mask has an end before theirs; nothing is
    /// written then.
    pub fn backward_bias<T: Element>(
        &self,
        grad_output: &[T],
        grad_input: &mut [T],
        grad_bias: &mut [T],
    ) -> Result<(), LengthMismatch> {
        same_length(["grad_output", "grad_input"], grad_output, grad_input)?;
        whole_rows(grad_input, grad_bias)?;
        self.gradient().apply(Operands::new(grad_output, grad_input))?;
        sum_rows(grad_input, grad_bias);
        Ok(())
    }

    /// The same, overwriting the gradient with respect to the output with the one with respect to the input.
    ///
    /// # Errors
    ///
    /// If `grad` is not a whole number of rows, or the mask has an end before its; nothing is written then.
    pub fn backward_bias_inplace<T: Element>(&self, grad: &mut [T], grad_bias: &mut [T]) -> Result<(), LengthMismatch> {
        whole_rows(grad, grad_bias)?;
        self.gradient().apply(Operands::inplace(grad))?;
        sum_rows(grad, grad_bias);
        Ok(())
    }

    /// The noisy `input` in memory of its own.
    pub(crate) fn forward_to_vec<T: Element>(&self, input: &[T]) -> Result<Vec<T>, LengthMismatch> {
        self.check_end(input.len())?;
        Ok(kernel::apply_to_vec(&self.noise(), self.start, input))
    }

    fn apply<T: Element>(&self, operands: Operands<T>) -> Result<(), LengthMismatch> {
        self.check_end(operands.count())?;
        kernel::apply(&self.noise(), self.start, operands);
        Ok(())
    }

    /// Whether the mask has been drawn for so many elements.
    fn check_end(&self, count: usize) -> Result<(), LengthMismatch> {
        let Some(drawn) = self.mask.count() else {
            return Ok(());
        };
        let left = drawn.saturating_mul(self.share()).saturating_sub(self.start);
        if count as u64 <= left { Ok(()) } else { Err(LengthMismatch::Drawn { left, elements: count }) }
    }

    fn share(&self) -> u64 {
        self.share.map_or(1, NonZeroU64::get)
    }

    fn noise<T: Element>(&self) -> Noise<'_, T> {
        let p = self.mask.p().get();
        let keep = 1.0 - p;
        let a = || 1.0 / ((SELU_LIMIT * SELU_LIMIT * p + 1.0) * keep).sqrt();
        let rounded = T::rounded;
        let effect = match self.effect {
            // Where nothing is kept, the scale of what is kept has to be finite all the same.
            Effect::Dropout if keep == 0.0 => kernel::Effect::Scale(T::default()),
            Effect::Dropout => kernel::Effect::Scale(T::narrow(rounded(1.0 / rounded(keep)))),
            Effect::JaxDropout => kernel::Effect::Divide(T::narrow(keep)),
            Effect::AlphaGradient => kernel::Effect::Scale(T::narrow(rounded(a()))),
            Effect::Alpha => {
                let a = a();
                // As PyTorch does it, every step of it rounded.
                let limit = T::narrow(rounded(-SELU_LIMIT * a));
                let shift = T::narrow(rounded(SELU_LIMIT * a * p));
                let shifts = [shift, limit + shift];
                kernel::Effect::ScaleAndShift(T::narrow(rounded(a)), shifts)
            }
        };
        Noise { mask: &self.mask, share: self.share(), effect }
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
    /// More elements than the mask has been drawn for.
    Drawn {
        /// How many it has left, from the first of these elements on.
        left: u64,
        /// How many there are.
        elements: usize,
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
            Self::Drawn { left, elements } => {
                write!(f, "the mask has been drawn for {left} elements, but got {elements}")
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
