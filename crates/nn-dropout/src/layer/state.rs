//! Layers with a second tensor: the previous state of a recurrent network, or what stands for an unknown label.

use std::error::Error;
use std::fmt;

use super::any::Mode;
use super::front::front;
use super::kind::DrawError;
use crate::draw::{ApplyError, whole_rows};
use crate::kernel::Element;

front! {
    /// Keeps elements of the previous hidden state of a recurrent network, each with probability p, in place of the new ones. In
    /// eval mode the result is what is expected: `(1 - p) * new + p * previous`.
    ///
    /// Both are multiplied, by 1 and 0 or 0 and 1, and added. So an infinity or a NaN in one of them is a NaN in the result.
    ///
    /// The layer has no state of its own: who calls it hands it both. In backward the gradient goes to `new` where its element
    /// was taken, by the [draw](crate::Layer::draw), and to `previous` elsewhere, by its [complement](crate::Draw::complement).
    ///
    /// Krueger and others, "Zoneout: regularizing RNNs by randomly preserving hidden activations", ICLR 2017.
    ///
    /// ```
    /// use nn_dropout::{Generator, Zoneout};
    ///
    /// let mut zoneout = Zoneout::with_generator(0.5, &Generator::philox(42))?;
    /// let mut state = [1f32; 4];
    /// zoneout.forward(&[1, 4], &mut state, &[5.0; 4])?;
    /// assert!(state.iter().all(|x| *x == 1.0 || *x == 5.0));
    ///
    /// let mut state = [1f32; 4];
    /// zoneout.eval().forward(&[1, 4], &mut state, &[5.0; 4])?;
    /// assert_eq!(state, [3.0; 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Zoneout(p)
}

impl Zoneout {
    /// Overwrites the new state with the one that goes on, for states of this shape.
    ///
    /// # Errors
    ///
    /// If the two are not tensors of this shape. Nothing is written then.
    pub fn forward<T: Element>(&self, shape: &[usize], new: &mut [T], previous: &[T]) -> Result<(), LayerError> {
        let count = shape.iter().fold(1, |count: usize, &size| count.saturating_mul(size));
        for (name, length) in [("new", new.len()), ("previous", previous.len())] {
            if length != count {
                return Err(ApplyError::Different {
                    names: [name, "a tensor of this shape"],
                    lengths: [length, count],
                }
                .into());
            }
        }
        if self.mode() == Mode::Eval {
            let p = self.p_now().get();
            if p == 0.0 {
                return Ok(());
            }
            let [taken, kept] = [1.0 - p, p].map(|share| T::narrow(T::rounded(share)));
            for (new, &previous) in new.iter_mut().zip(previous) {
                *new = *new * taken + previous * kept;
            }
            return Ok(());
        }
        let Some(draw) = self.draw(shape)? else { return Ok(()) };
        draw.forward_inplace(new)?;
        Ok(draw.complement().on(previous).add_to(new)?)
    }
}

front! {
    /// Replaces whole rows of a tensor by a given "null" row, each with probability p: labels, captions or other conditions of a
    /// generative model. Trained like this, it can be asked with the condition and without.
    ///
    /// In backward the gradient goes to the rows that were left, by the [draw](crate::Layer::draw), and to the null row from the
    /// others, by [`bias_gradient`](crate::bias_gradient) of what its [complement](crate::Draw::complement) leaves.
    ///
    /// Ho and Salimans, "Classifier-free diffusion guidance", 2022.
    ///
    /// ```
    /// use nn_dropout::{Generator, LabelDropout};
    ///
    /// let dropout = LabelDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let mut rows = [1f32; 8];
    /// dropout.forward(&mut rows, &[-1.0, -2.0])?;
    /// assert!(rows.chunks(2).all(|row| row == [1.0, 1.0] || row == [-1.0, -2.0]));
    ///
    /// let mut labels = [3, 1, 4, 1];
    /// dropout.forward_labels(&mut labels, 10);
    /// assert!(labels.iter().zip([3, 1, 4, 1]).all(|(new, old)| *new == old || *new == 10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    LabelDropout(p)
}

impl LabelDropout {
    /// Overwrites rows of `null.len()` elements, if they are dropped.
    ///
    /// # Errors
    ///
    /// If `rows` is not a whole number of them. Nothing is written then.
    pub fn forward<T: Element>(&self, rows: &mut [T], null: &[T]) -> Result<(), LayerError> {
        let (elements, columns) = (rows.len(), null.len());
        whole_rows(elements, columns)?;
        let Some(draw) = self.draw(&[elements.checked_div(columns).unwrap_or(0), columns])? else { return Ok(()) };
        for (first, row) in (0..).step_by(columns).zip(rows.chunks_exact_mut(columns)) {
            if !draw.keeps(first) {
                row.copy_from_slice(null);
            }
        }
        Ok(())
    }

    /// Overwrites labels, if they are dropped.
    pub fn forward_labels<L: Copy>(&self, labels: &mut [L], null: L) {
        match self.draw(&[labels.len()]) {
            Ok(None) => {}
            Ok(Some(draw)) => {
                for (_, label) in (0..).zip(labels).filter(|(row, _)| !draw.keeps(*row)) {
                    *label = null;
                }
            }
            Err(error) => unreachable!("rows are all it needs, but: {error}"),
        }
    }
}

/// Why a layer cannot be applied to tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerError {
    /// The layer cannot draw noise for them.
    Draw(DrawError),
    /// They do not fit each other.
    Apply(ApplyError),
}

impl From<DrawError> for LayerError {
    fn from(error: DrawError) -> Self {
        Self::Draw(error)
    }
}

impl From<ApplyError> for LayerError {
    fn from(error: ApplyError) -> Self {
        Self::Apply(error)
    }
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draw(error) => error.fmt(f),
            Self::Apply(error) => error.fmt(f),
        }
    }
}

impl Error for LayerError {}
