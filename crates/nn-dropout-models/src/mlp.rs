//! A multi-layer perceptron with dropout after each hidden layer, and of its features if asked for.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

use crate::Noise;
use crate::ops::linear;

/// The model.
#[derive(Module, Debug)]
pub struct Mlp<N: Noise> {
    hidden: Vec<Linear>,
    dropout: Vec<N>,
    output: Linear,
    input_dropout: Option<N>,
}

impl<N: Noise> Mlp<N> {
    /// A model with `sizes` units in its layers, from the features to the outputs. `uniform(b)` gives the next random number
    /// between `-b` and `b`.
    ///
    /// # Panics
    ///
    /// With fewer than two sizes.
    pub fn new(sizes: &[usize], mut uniform: impl FnMut(f32) -> f32, dropout: impl Fn() -> N, device: &Device) -> Self {
        let mut layers: Vec<Linear> =
            sizes.windows(2).map(|sizes| new_linear(sizes[0], sizes[1], &mut uniform, device)).collect();
        let output = layers.pop().expect("a model has at least features and outputs");
        Self { dropout: layers.iter().map(|_| dropout()).collect(), hidden: layers, output, input_dropout: None }
    }

    /// The same model with other dropout layers.
    #[must_use]
    pub fn with_dropout(self, dropout: impl Fn() -> N) -> Self {
        Self { dropout: self.hidden.iter().map(|_| dropout()).collect(), ..self }
    }

    /// The same model with dropout of the features.
    #[must_use]
    pub fn with_input_dropout(self, dropout: N) -> Self {
        Self { input_dropout: Some(dropout), ..self }
    }

    /// The outputs, `[rows, outputs]`, for `[rows, features]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.input_dropout.iter().fold(x, |x, dropout| dropout.forward(x));
        let layers = self.hidden.iter().zip(&self.dropout);
        linear(&self.output, layers.fold(x, |x, (layer, dropout)| dropout.forward(relu(linear(layer, x)))))
    }
}

/// The number of weights and biases of a model with `sizes` units in its layers.
pub fn parameters(sizes: &[usize]) -> usize {
    sizes.windows(2).map(|pair| pair[0].saturating_add(1).saturating_mul(pair[1])).fold(0, usize::saturating_add)
}

/// A linear layer initialised as PyTorch's is: uniform within one over the root of the inputs.
fn new_linear(inputs: usize, outputs: usize, uniform: &mut impl FnMut(f32) -> f32, device: &Device) -> Linear {
    let bound = (inputs as f32).sqrt().recip();
    let mut numbers = |count| (0..count).map(|_| uniform(bound)).collect::<Vec<f32>>();
    let weight = TensorData::new(numbers(inputs * outputs), [inputs, outputs]);
    let bias = TensorData::new(numbers(outputs), [outputs]);
    Linear {
        weight: Param::from_tensor(Tensor::from_data(weight, device)),
        bias: Some(Param::from_tensor(Tensor::from_data(bias, device))),
    }
}
