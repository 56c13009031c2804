//! Normal and uniform noise.

use super::front::{module, one_tensor};

module! {
    /// Multiplies every element by a normal number of its own, with mean 1 and variance `p / (1 - p)`:
    /// [`nn_dropout::GaussianDropout`] as a Burn module, active where [`Dropout`](super::Dropout) is.
    GaussianDropout, GaussianDropoutConfig {
        /// p of the dropout whose mean and variance the noise has: at least 0, below 1.
        prob
    }
}

module! {
    /// Adds a normal number of its own to every element: [`nn_dropout::GaussianNoise`] as a Burn module, active where
    /// [`Dropout`](super::Dropout) is. It replaces `burn::nn::GaussianNoise`.
    GaussianNoise, GaussianNoiseConfig {
        /// The standard deviation of the numbers, at least 0. Their mean is 0.
        std
    }
}

module! {
    /// Adds a uniform number of its own to every element of embeddings, of shape (..., length, width):
    /// [`nn_dropout::NeftuneNoise`] as a Burn module, active where [`Dropout`](super::Dropout) is.
    NeftuneNoise, NeftuneNoiseConfig {
        /// The numbers lie between minus and plus `alpha / sqrt(length * width)`. At least 0.
        alpha
    }
}

one_tensor!(GaussianDropout GaussianNoise NeftuneNoise);
