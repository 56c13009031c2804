//! Dropout as a function, in place of `candle_nn::ops::dropout`.

use candle_core::{Error, Result, Tensor};
use nn_dropout::{Draw, Index, Probability, default_generator};

use crate::op::ApplyDraw;

/// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`, in every call.
///
/// It draws from the process's [default generator](default_generator), which counts the calls, as layer number 2^32 - 1. So calls
/// draw the same in every run after [`manual_seed`](crate::manual_seed), if their order is the same. p is as it is given:
/// [schedules](nn_dropout::Schedule) are for layers. Elements are numbered in row-major order, with PyTorch's masks too.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use nn_dropout_candle::{manual_seed, ops::dropout};
///
/// let x = Tensor::ones(100, DType::F32, &Device::Cpu)?;
/// manual_seed(42);
/// let first = dropout(&x, 0.5)?.to_vec1::<f32>()?;
/// assert_ne!(dropout(&x, 0.5)?.to_vec1::<f32>()?, first);
/// manual_seed(42);
/// assert_eq!(dropout(&x, 0.5)?.to_vec1::<f32>()?, first);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If p is below 0, above 1 or NaN, or the tensor is of a type that [`ApplyDraw`] does not take.
pub fn dropout(xs: &Tensor, p: impl Into<f64>) -> Result<Tensor> {
    let p = Probability::new(p.into()).map_err(Error::msg)?;
    if p == Probability::ZERO {
        return Ok(xs.clone());
    }
    let mask = default_generator().next_mask(u32::MAX, p, xs.elem_count() as u64);
    xs.apply_op1(ApplyDraw(Draw::dropout(mask).with_index(Index::of(xs.dims()))))
}
