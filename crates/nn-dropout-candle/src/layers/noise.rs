//! Normal and uniform noise.

use super::front::{layer, one_tensor};

layer! {
    /// Multiplies every element by a normal number of its own, with mean 1 and variance `p / (1 - p)`:
    /// [`nn_dropout::GaussianDropout`] for candle's tensors.
    GaussianDropout(p)
}

layer! {
    /// Adds a normal number of its own to every element: [`nn_dropout::GaussianNoise`] for candle's tensors.
    GaussianNoise(stddev)
}

layer! {
    /// Adds a uniform number of its own to every element of embeddings, of shape (..., length, width):
    /// [`nn_dropout::NeftuneNoise`] for candle's tensors.
    NeftuneNoise(alpha)
}

one_tensor!(GaussianDropout GaussianNoise NeftuneNoise);
