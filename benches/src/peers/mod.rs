//! The contenders, one file each.

mod burn;
mod candle;
mod multiply;
mod ours;
pub mod python;

use anyhow::Result;
use candle_core::WithDType;

use crate::case::{Case, Op};
use crate::measure::{Effort, Measured, measure};
use crate::memory::Memory;
use python::Python;

pub const OURS: &str = "nn-dropout";
pub const OURS_ALLOC: &str = "nn-dropout:alloc";
/// With the masks of PyTorch and of JAX.
pub const OURS_TORCH: &str = "nn-dropout:torch";
pub const OURS_JAX: &str = "nn-dropout:jax";
/// With a bit for each 7 x 7 elements, and with the three bits of a sample for all its pixels, channels last.
pub const OURS_CHANNELS: &str = "nn-dropout:channels";
pub const OURS_CHANNELS_LAST: &str = "nn-dropout:channels-last";
/// On the tensors of a framework.
pub const OURS_BURN: &str = "nn-dropout:burn";
pub const OURS_CANDLE: &str = "nn-dropout:candle";
pub const ALL_OURS: [&str; 8] =
    [OURS, OURS_ALLOC, OURS_BURN, OURS_CANDLE, OURS_TORCH, OURS_JAX, OURS_CHANNELS, OURS_CHANNELS_LAST];
/// Pairs that are compared with each other: those on the same tensors, or with as new memory; those that draw the same masks; and
/// channels with elements.
pub const PAIRS: [(&str, &str); 8] = [
    (OURS_BURN, "burn"),
    (OURS_BURN, OURS_ALLOC),
    (OURS_CANDLE, "candle"),
    (OURS_CANDLE, OURS_ALLOC),
    (OURS_TORCH, "pytorch"),
    (OURS_JAX, "jax"),
    (OURS_CHANNELS, OURS),
    (OURS_CHANNELS_LAST, OURS),
];
pub const MULTIPLY: &str = "multiply";

/// An element type that all contenders can work with.
pub trait Number: nn_dropout::Element + multiply::Registers + WithDType + ::burn::tensor::Element {}

impl<T: nn_dropout::Element + multiply::Registers + WithDType + ::burn::tensor::Element> Number for T {}

/// Measures the contenders that can take part in this case.
pub fn compete<T: Number>(case: Case, p: f64, pythons: &mut [Python], effort: Effort) -> Result<Vec<Measured>> {
    let mut memory = Memory::<T>::new(case.elements);
    let mut buffers = memory.buffers();
    let mut contenders = ours::contenders(case.op, p)?;
    if case.op != Op::Bits {
        contenders.extend(multiply::contenders(case, p));
        contenders.extend(candle::contenders(case.op, p, buffers.input)?);
        contenders.extend(burn::contenders(case.op, p, buffers.input));
        contenders.extend(pythons.iter_mut().map(|python| python.contender(case, p)));
    }
    measure(&mut contenders, &mut buffers, effort)
}
