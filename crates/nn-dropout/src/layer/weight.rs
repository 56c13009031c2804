//! Dropout of weights.

use super::front::front;

front! {
    /// Zeroes every element of a weight tensor with probability p and multiplies the rest by `1 / (1 - p)`. Draw once for all
    /// time steps of a recurrent network: that is weight drop.
    ///
    /// It does what [`Dropout`](crate::Dropout) does. But a weight has no batch, so in [Monte Carlo mode](crate::Mode::MonteCarlo)
    /// nothing is shared. EfficientNet's "drop connect" is another thing: see [`DropPath`](crate::DropPath).
    ///
    /// Wan, Zeiler, Zhang, LeCun and Fergus, "Regularization of neural networks using DropConnect", ICML 2013; Merity, Keskar and
    /// Socher, "Regularizing and optimizing LSTM language models", ICLR 2018. fastai calls it `WeightDropout`.
    ///
    /// ```
    /// use nn_dropout::{DropConnect, Generator};
    ///
    /// let drop_connect = DropConnect::with_generator(0.5, &Generator::philox(42))?;
    /// let weight = drop_connect.forward([1f32; 8]);
    /// assert!(weight.iter().all(|w| *w == 0.0 || *w == 2.0));
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    DropConnect(p), any shape
}

front! {
    /// Zeroes whole rows of an embedding table, of shape (vocabulary, width), each with probability p, and multiplies the rest by
    /// `1 / (1 - p)`. So a word is dropped wherever it occurs in a call.
    ///
    /// A tensor of fewer than two axes is an error. [`scales`](Self::scales) is for those who look words up first: a table
    /// is larger than what is looked up in it.
    ///
    /// Gal and Ghahramani, NeurIPS 2016; the interface is that of fastai's `EmbeddingDropout`.
    ///
    /// ```
    /// use nn_dropout::{EmbeddingDropout, Generator};
    ///
    /// let dropout = EmbeddingDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let y = dropout.draw(&[5, 3])?.expect("in training mode").forward_to_vec(&[1f32; 15])?;
    /// assert!(y.chunks(3).all(|word| word == [0.0; 3] || word == [2.0; 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    EmbeddingDropout(p)
}

impl EmbeddingDropout {
    /// What each word's row is multiplied by in the next call, for a vocabulary of this size.
    ///
    /// ```
    /// use nn_dropout::{EmbeddingDropout, Generator};
    ///
    /// let dropout = EmbeddingDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let scales: Vec<f32> = dropout.scales(5);
    /// assert!(scales.iter().all(|scale| *scale == 0.0 || *scale == 2.0));
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    pub fn scales<T: crate::Element>(&self, vocabulary: usize) -> Vec<T> {
        let draw = self.draw(&[vocabulary, 1]).unwrap_or_else(|error| unreachable!("it is a table, but: {error}"));
        let mut scales = vec![T::narrow(1.0); vocabulary];
        if let Some(draw) = draw {
            draw.forward_inplace(&mut scales).unwrap_or_else(|error| unreachable!("drawn for it, but: {error}"));
        }
        scales
    }
}
