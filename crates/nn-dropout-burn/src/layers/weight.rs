//! Dropout of weights.

use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor};
use nn_dropout::Affine;

use super::front::{apply, draw, module, one_tensor};

module! {
    /// Zeroes every element of a weight tensor with probability p and multiplies the rest by `1 / (1 - p)`:
    /// [`nn_dropout::DropConnect`] as a Burn module, active where [`Dropout`](super::Dropout) is.
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::tensor::module::linear;
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::DropConnectConfig;
    ///
    /// let device = Device::flex().autodiff();
    /// let layer = LinearConfig::new(4, 3).init(&device);
    /// let drop_connect = DropConnectConfig::new(0.5).init();
    /// let forward = |x: Tensor<2>| {
    ///     let weight = drop_connect.forward(layer.weight.val());
    ///     linear(x, weight, layer.bias.as_ref().map(|bias| bias.val()))
    /// };
    /// assert_eq!(forward(Tensor::ones([2, 4], &device)).dims(), [2, 3]);
    /// ```
    DropConnect, DropConnectConfig {
        /// The probability that a weight is dropped, from 0 to 1.
        prob
    }
}

one_tensor!(DropConnect);

module! {
    /// Looks words up in an embedding table, of which whole rows are dropped: [`nn_dropout::EmbeddingDropout`] as a Burn module,
    /// active where [`Dropout`](super::Dropout) is.
    ///
    /// ```
    /// use burn::nn::EmbeddingConfig;
    /// use burn::tensor::{Device, Int, Tensor};
    /// use nn_dropout_burn::EmbeddingDropoutConfig;
    ///
    /// let device = Device::flex().autodiff();
    /// let table = EmbeddingConfig::new(10, 4).init(&device);
    /// let dropout = EmbeddingDropoutConfig::new(0.1).init();
    /// let tokens = Tensor::<2, Int>::from_ints([[1, 2, 1], [7, 1, 3]], &device);
    /// let y = dropout.forward(table.weight.val(), tokens); // in place of table.forward(tokens)
    /// assert_eq!(y.dims(), [2, 3, 4]);
    /// ```
    EmbeddingDropout, EmbeddingDropoutConfig {
        /// The probability that a word is dropped, from 0 to 1.
        prob
    }
}

impl EmbeddingDropout {
    /// The rows of `weight`, of shape (vocabulary, width), that have the numbers `tokens`, of shape (batch, length), as a tensor of
    /// shape (batch, length, width). A word is dropped wherever it occurs in a call.
    ///
    /// The result is that of dropping rows of the table. But the table itself is only looked up in: what is made is one number
    /// for each word of the vocabulary.
    ///
    /// # Panics
    ///
    /// If there is no row with one of the numbers.
    #[track_caller]
    pub fn forward(&self, weight: Tensor<2>, tokens: Tensor<2, Int>) -> Tensor<3> {
        let ([words, _], device, dtype) = (weight.dims(), weight.device(), weight.dtype());
        let draw = draw(&self.layer, &self.training, &device, &[words, 1]);
        let rows = embedding(weight, tokens.clone());
        let Some(draw) = draw else { return rows };
        let affine = draw.affine::<f64>();
        let scales = apply(Tensor::<2>::ones([words, 1], (&device, dtype)), draw);
        let scales = embedding(scales, tokens);
        match affine {
            // A product with the inverse would not have the same bits.
            Affine::Divide(divisor) => {
                let dropped = scales.equal_scalar(0.0).expand(rows.shape());
                rows.div_scalar(divisor).mask_fill(dropped, 0.0)
            }
            _ => rows * scales,
        }
    }
}
