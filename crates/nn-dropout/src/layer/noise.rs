//! Normal and uniform noise.

use super::front::front;

front! {
    /// Multiplies every element by a normal number of its own, with mean 1 and variance `p / (1 - p)`: the mean and the variance
    /// of what [`Dropout`](crate::Dropout) multiplies by.
    ///
    /// p has to be below 1. Numbers are our own, so a generator of PyTorch's or JAX's masks is an error. Everything else is as
    /// for `Dropout`.
    ///
    /// Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, JMLR 2014, section 10. The interface is that of
    /// `keras.layers.GaussianDropout`.
    ///
    /// ```
    /// use nn_dropout::{GaussianDropout, Generator};
    ///
    /// let dropout = GaussianDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let y = dropout.forward(vec![1f64; 10_000])?;
    /// let mean = y.iter().sum::<f64>() / 10_000.0;
    /// assert!((mean - 1.0).abs() < 0.03);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    GaussianDropout(p)
}

front! {
    /// Adds a normal number of its own to every element, with mean 0 and this standard deviation.
    ///
    /// Numbers are our own, so a generator of PyTorch's or JAX's masks is an error. The interface is that of
    /// `keras.layers.GaussianNoise`.
    ///
    /// ```
    /// use nn_dropout::{GaussianNoise, Generator};
    ///
    /// let noise = GaussianNoise::with_generator(0.1, &Generator::philox(42))?;
    /// let y = noise.forward([1f32; 4])?;
    /// assert!(y.iter().all(|y| *y != 1.0 && (y - 1.0).abs() < 0.6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    GaussianNoise(stddev)
}

front! {
    /// Adds a uniform number of its own to every element of embeddings, of shape (..., length, width): between minus and plus
    /// `alpha / sqrt(length * width)`.
    ///
    /// Fewer than two axes are an error, and so is a generator of PyTorch's or JAX's masks.
    ///
    /// Jain and others, "NEFTune: noisy embeddings improve instruction finetuning", ICLR 2024.
    ///
    /// ```
    /// use nn_dropout::{Generator, NeftuneNoise};
    ///
    /// let noise = NeftuneNoise::with_generator(5.0, &Generator::philox(42))?;
    /// let y = noise.draw(&[1, 25, 4])?.expect("in training mode").forward_to_vec(&[0f32; 100])?;
    /// assert!(y.iter().all(|y| y.abs() < 0.5) && y.iter().any(|y| y.abs() > 0.4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    NeftuneNoise(alpha)
}
