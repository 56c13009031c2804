//! What layers take, and what they return for it.

#[cfg(feature = "ndarray")]
mod ndarray;
mod slices;

use std::fmt::Display;

use crate::draw::Draw;

/// The input of a layer's `forward`, and the kind of output it becomes:
///
/// | input | output |
/// |---|---|
/// | `&[T]`, `&Vec<T>`, `&[T; N]` | `Cow<[T]>`: borrowed where nothing was to be done, else new; the input stays as it is |
/// | `&mut [T]`, `&mut Vec<T>`, `&mut [T; N]` | the same, overwritten |
/// | `Vec<T>`, `[T; N]`, `Cow<[T]>` | the same, with its memory if it is owned |
///
/// and with the `ndarray` feature, for arrays and views of any dimension and strides:
///
/// | input | output |
/// |---|---|
/// | `&ArrayBase<S, D>`, `ArrayView<T, D>` | `CowArray<T, D>`, as for `&[T]` |
/// | `&mut ArrayBase<S, D>`, `ArrayViewMut<T, D>` | the same, overwritten |
/// | `Array<T, D>`, `CowArray<T, D>` | the same, with its memory if it is owned |
///
/// Elements are indexed in row-major order, whatever their order in memory; only the element-wise masks of PyTorch follow the
/// order in memory, as there. Slices, `Vec`s and `[T; N]` are tensors of one dimension.
pub trait Input: Sized {
    /// What `forward` returns.
    type Output;

    /// Calls `f` with the size of each dimension.
    fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R;

    /// The axes in the order in which they lie in memory, the slowest first. `None` if that is their own order.
    fn memory_order(&self) -> Option<Vec<usize>> {
        None
    }

    /// The output where nothing is to be done: the input itself, not a copy.
    fn identity(self) -> Self::Output;

    /// The output with the noise of `draw`.
    ///
    /// # Panics
    ///
    /// If `draw` is not for an input of this shape. Those that a layer draws for it are.
    #[track_caller]
    fn apply(self, draw: &Draw) -> Self::Output;
}

/// A layer draws for the input that it has been given, so its draws always fit.
#[track_caller]
fn fit<T>(result: Result<T, impl Display>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
