//! What layers take, and what they give back for it.

use std::borrow::Cow;

use crate::{Draw, Element, LengthMismatch};

/// The input of a layer's `forward`, and the kind of output it becomes:
///
/// | input | output |
/// |---|---|
/// | `&[T]` | `Cow<[T]>`: borrowed where nothing was to be done, else new; the input stays as it is |
/// | `&mut [T]` | the same slice, overwritten |
/// | `Vec<T>` | `Vec<T>`: the same buffer where nothing was to be done or the layer is `inplace`, else a new one |
/// | `[T; N]` | `[T; N]` |
///
/// and with the `ndarray` feature, for arrays of any dimension and memory order:
///
/// | input | output |
/// |---|---|
/// | `&ArrayBase<S, D>` | `CowArray<T, D>`, as for `&[T]` |
/// | `&mut ArrayBase<S, D>` | the same array, overwritten |
/// | `Array<T, D>` | `Array<T, D>`, as for `Vec<T>` |
///
/// Elements are indexed in row-major order, whatever their order in memory; only the element-wise masks of PyTorch follow the
/// order in memory, as there. Slices, `Vec`s and `[T; N]` are tensors of one dimension.
pub trait Input: Sized {
    /// What `forward` returns.
    type Output;

    /// How many elements it has.
    fn count(&self) -> usize;

    /// The size of each dimension.
    fn dimensions(&self) -> Vec<usize> {
        vec![self.count()]
    }

    /// The output where nothing is to be done: the input itself, not a copy.
    fn identity(self) -> Self::Output;

    /// The output with the noise of `draw`; an owned input is overwritten if `inplace`.
    ///
    /// # Panics
    ///
    /// If the mask of `draw` has an end before that of the input. Those that a layer draws for it have not.
    fn apply(self, draw: &Draw, inplace: bool) -> Self::Output;
}

impl<'a, T: Element> Input for &'a [T] {
    type Output = Cow<'a, [T]>;

    fn count(&self) -> usize {
        self.len()
    }

    fn identity(self) -> Self::Output {
        Cow::Borrowed(self)
    }

    fn apply(self, draw: &Draw, _inplace: bool) -> Self::Output {
        Cow::Owned(draw.forward_to_vec(self).unwrap_or_else(too_short))
    }
}

impl<T: Element> Input for &mut [T] {
    type Output = Self;

    fn count(&self) -> usize {
        self.len()
    }

    fn identity(self) -> Self {
        self
    }

    fn apply(self, draw: &Draw, _inplace: bool) -> Self {
        draw.forward_inplace(self).unwrap_or_else(too_short);
        self
    }
}

impl<T: Element> Input for Vec<T> {
    type Output = Self;

    fn count(&self) -> usize {
        self.len()
    }

    fn identity(self) -> Self {
        self
    }

    fn apply(mut self, draw: &Draw, inplace: bool) -> Self {
        if !inplace {
            return self.as_slice().apply(draw, inplace).into_owned();
        }
        draw.forward_inplace(&mut self).unwrap_or_else(too_short);
        self
    }
}

impl<T: Element, const N: usize> Input for [T; N] {
    type Output = Self;

    fn count(&self) -> usize {
        self.len()
    }

    fn identity(self) -> Self {
        self
    }

    fn apply(mut self, draw: &Draw, _inplace: bool) -> Self {
        draw.forward_inplace(&mut self).unwrap_or_else(too_short);
        self
    }
}

/// A layer draws for the input that it has been given, so its draws are never too short.
pub(crate) fn too_short<T>(error: LengthMismatch) -> T {
    panic!("{error}")
}
