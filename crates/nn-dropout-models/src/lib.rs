//! Two networks, each in one short file: a multi-layer perceptron for tables and a GPT for texts.
//!
//! Both take any [`Noise`] as their dropout, so that ours and Burn's can be compared in the same network.

#![allow(
    clippy::inline_always,
    reason = "what is not inlined into a function with the instruction set's features is slow"
)]

mod adamw;
pub mod gpt;
pub mod mlp;
mod ops;
mod training;

pub use adamw::AdamW;
pub use gpt::{Gpt, GptConfig};
pub use mlp::Mlp;
pub use training::Training;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// A dropout layer.
pub trait Noise: Module + ModuleDisplay {
    /// The input with noise in training mode, unchanged in eval mode.
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D>;
}

impl Noise for nn_dropout_burn::Dropout {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}

impl Noise for nn_dropout_burn::DropoutLayer {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}

impl Noise for burn::nn::Dropout {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}
