//! Noise together with the additions around it, in one pass over memory.

use super::draw::{Draw, same_length};
use super::error::ApplyError;
use crate::kernel::{Element, Operands};

/// A draw on an input, and what is added before and after, in one pass over memory:
///
/// ```text
/// y = residual + noise(input + bias)
/// ```
///
/// The values are those of the operations one after the other, each rounded to `T`. The gradient with respect to the
/// residual is the one with respect to the output; that with respect to the input is [`Draw::backward`]'s, and summed over
/// the rows by [`bias_gradient`] that with respect to the bias.
///
/// ```
/// use nn_dropout::{Draw, Mask, Probability};
///
/// let draw = Draw::dropout(Mask::philox(42, 0, 0, Probability::new(0.5)?));
/// let (input, bias, mut residual) = ([1f32, 2.0, 3.0, 4.0], [1f32, 1.0], [0.5f32; 4]);
/// let mut output = [0f32; 4];
/// draw.on(&input).bias(&bias).add(&residual, &mut output)?;
/// assert!(output.iter().zip([2.0, 3.0, 4.0, 5.0]).all(|(&y, x)| y == 0.5 || y == 0.5 + 2.0 * x));
///
/// draw.on(&input).bias(&bias).add_to(&mut residual)?;
/// assert_eq!(residual, output);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing happens before `write`, `add` or `add_to`"]
pub struct On<'a, T> {
    draw: &'a Draw,
    input: &'a [T],
    bias: Option<&'a [T]>,
    first: u64,
}

impl Draw {
    /// This draw on `input`, to be written somewhere.
    pub const fn on<'a, T: Element>(&'a self, input: &'a [T]) -> On<'a, T> {
        On { draw: self, input, bias: None, first: 0 }
    }
}

impl<'a, T: Element> On<'a, T> {
    /// Adds `bias` to each row of the input before the noise. A row has `bias.len()` elements.
    pub const fn bias(self, bias: &'a [T]) -> Self {
        Self { bias: Some(bias), ..self }
    }

    /// The slices begin with element number `first` of the draw.
    pub const fn at(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Writes `noise(input + bias)` to `output`.
    ///
    /// # Errors
    ///
    /// If lengths differ, there are more elements than the draw has, or they are not whole rows of the bias. Nothing is written
    /// then; so it is for all three forms.
    pub fn write(self, output: &mut [T]) -> Result<(), ApplyError> {
        same_length(["input", "output"], self.input, output)?;
        self.apply(Operands::new(self.input, output))
    }

    /// Writes `residual + noise(input + bias)` to `output`.
    ///
    /// # Errors
    ///
    /// As of [`write`](Self::write).
    pub fn add(self, residual: &[T], output: &mut [T]) -> Result<(), ApplyError> {
        same_length(["input", "output"], self.input, output)?;
        same_length(["residual", "output"], residual, output)?;
        self.apply(Operands::new(self.input, output).with_residual(residual))
    }

    /// Adds `noise(input + bias)` to `residual`.
    ///
    /// # Errors
    ///
    /// As of [`write`](Self::write).
    pub fn add_to(self, residual: &mut [T]) -> Result<(), ApplyError> {
        same_length(["input", "residual"], self.input, residual)?;
        self.apply(Operands::new(self.input, residual).accumulate())
    }

    fn apply(self, operands: Operands<T>) -> Result<(), ApplyError> {
        let operands = match self.bias {
            None => operands,
            Some(bias) => {
                let columns = bias.len();
                whole_rows(operands.count(), columns)?;
                if !self.first.is_multiple_of(columns as u64) {
                    return Err(ApplyError::Start { first: self.first, columns });
                }
                operands.with_bias(bias)
            }
        };
        self.draw.apply(self.draw.effect(), self.first, operands)
    }
}

/// Writes the gradient with respect to a bias to `grad_bias`, given the one with respect to the input that it was added to: its
/// sum over all rows. Each column is summed in the order of the rows, in `f64`, and rounded once.
///
/// # Errors
///
/// If `grad_input` is not a whole number of rows of `grad_bias.len()` elements. Nothing is written then.
pub fn bias_gradient<T: Element>(grad_input: &[T], grad_bias: &mut [T]) -> Result<(), ApplyError> {
    const COLUMNS: usize = 256;
    let columns = grad_bias.len();
    whole_rows(grad_input.len(), columns)?;
    for (i, sums) in grad_bias.chunks_mut(COLUMNS).enumerate() {
        let mut exact = [0f64; COLUMNS];
        for row in grad_input.chunks_exact(columns) {
            for (sum, &x) in exact.iter_mut().zip(&row[i * COLUMNS..][..sums.len()]) {
                *sum += x.widen();
            }
        }
        for (sum, exact) in sums.iter_mut().zip(exact) {
            *sum = T::narrow(exact);
        }
    }
    Ok(())
}

/// Whether this many elements are rows of this length.
pub fn whole_rows(elements: usize, columns: usize) -> Result<(), ApplyError> {
    // An empty row fits only an empty tensor: 0 is a multiple of 0.
    if elements.is_multiple_of(columns) { Ok(()) } else { Err(ApplyError::Rows { elements, columns }) }
}
