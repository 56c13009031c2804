//! Two networks, each in one short file: a multi-layer perceptron for tables and a GPT for texts.
//!
//! Both take any [`Noise`] as their dropout, so that ours and Burn's can be compared in the same network.

pub mod gpt;
pub mod mlp;

pub use gpt::{Gpt, GptConfig};
pub use mlp::Mlp;

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
