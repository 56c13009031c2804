//! The model: a multi-layer perceptron with dropout after each hidden layer.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use nn_dropout::{Generator, Probability};
use nn_dropout_burn::{Dropout, DropoutConfig};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Linear>,
    dropout: Vec<Dropout>,
    output: Linear,
}

impl Mlp {
    /// How many weights and biases a model with `sizes` units in its layers has.
    pub fn parameters(sizes: &[usize]) -> usize {
        sizes.windows(2).map(|pair| pair[0].saturating_add(1).saturating_mul(pair[1])).fold(0, usize::saturating_add)
    }

    /// A model with `sizes` units in its layers, from the features to the classes, and weights drawn from `rng`.
    pub fn new(sizes: &[usize], p: Probability, rng: &mut ChaCha8Rng, generator: &Generator, device: &Device) -> Self {
        let mut layers: Vec<Linear> = sizes.windows(2).map(|sizes| linear(sizes[0], sizes[1], rng, device)).collect();
        let output = layers.pop().expect("a model has at least features and classes");
        let dropout = layers.iter().map(|_| DropoutConfig::new(p.get()).init_with(generator)).collect();
        Self { hidden: layers, dropout, output }
    }

    /// The logits, `[rows, classes]`, of `[rows, features]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let h = self
            .hidden
            .iter()
            .zip(&self.dropout)
            .fold(x, |h, (linear, dropout)| dropout.forward(relu(linear.forward(h))));
        self.output.forward(h)
    }
}

/// A linear layer initialised as PyTorch's is: uniform within one over the root of the inputs. Drawn here because Burn's
/// random numbers come from a state that all threads of a process share.
fn linear(inputs: usize, outputs: usize, rng: &mut ChaCha8Rng, device: &Device) -> Linear {
    let bound = (inputs as f32).sqrt().recip();
    let mut uniform = |count| (0..count).map(|_| rng.random_range(-bound..bound)).collect::<Vec<f32>>();
    let weight = TensorData::new(uniform(inputs * outputs), [inputs, outputs]);
    let bias = TensorData::new(uniform(outputs), [outputs]);
    Linear {
        weight: Param::from_tensor(Tensor::from_data(weight, device)),
        bias: Some(Param::from_tensor(Tensor::from_data(bias, device))),
    }
}
