//! Dropout of tokens and of attention keys.

use burn::tensor::{Int, Tensor, TensorData};

use super::front::{expect, is_on, module, one_tensor};

module! {
    /// Drops whole tokens, the vectors along the last axis: [`nn_dropout::TokenDropout`] as a Burn module, active where
    /// [`Dropout`](super::Dropout) is.
    ///
    /// [`forward`](Self::forward) zeroes tokens. [`keep_tokens`](Self::keep_tokens) removes them, so that the layers after it have
    /// less to do.
    TokenDropout(nn_dropout::TokenDropout), TokenDropoutConfig {
        /// The probability that a token is dropped, from 0 to 1.
        prob
    }
}

one_tensor!(TokenDropout);

impl TokenDropout {
    /// The tokens that are kept of a tensor of shape (sample, token, width), and their numbers, of shape (sample, kept token). Each
    /// sample keeps its first `prefix` tokens, such as a class token, and `1 - p` of the others, rounded down, but at least one. The
    /// numbers are ascending. Nothing is scaled.
    ///
    /// Where the layer is not active these are all tokens.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::TokenDropoutConfig;
    ///
    /// let dropout = TokenDropoutConfig::new(0.5).init();
    /// let patches = Tensor::<3>::ones([2, 1 + 16, 8], &Device::flex().autodiff());
    /// let (kept, numbers) = dropout.keep_tokens(patches, 1);
    /// assert_eq!((kept.dims(), numbers.dims()), ([2, 1 + 8, 8], [2, 1 + 8]));
    /// ```
    ///
    /// # Panics
    ///
    /// If the generator draws no numbers, as PyTorch's and JAX's do not.
    #[track_caller]
    pub fn keep_tokens(&self, input: Tensor<3>, prefix: usize) -> (Tensor<3>, Tensor<2, Int>) {
        let ([samples, tokens, width], device) = (input.dims(), input.device());
        if samples == 0 || !is_on(self.layer.mode(), &self.training, &device) {
            let all = (0..samples).flat_map(|_| 0..tokens as i64).collect();
            return (input, Tensor::from_data(TensorData::new(all, [samples, tokens]), &device));
        }
        let kept = expect(self.layer.kept(samples, tokens, prefix));
        let count = kept.len() / samples;
        let numbers: Vec<i64> = kept.into_iter().map(|token| token as i64).collect();
        let rows: Vec<i64> = (0..).zip(&numbers).map(|(i, token)| (i / count * tokens) as i64 + token).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [samples * count]), &device);
        let kept = input.reshape([samples * tokens, width]).select(0, rows).reshape([samples, count, width]);
        (kept, Tensor::from_data(TensorData::new(numbers, [samples, count]), &device))
    }
}

module! {
    /// Makes elements of attention scores negative infinity, before the softmax: [`nn_dropout::DropKey`] as a Burn module, active
    /// where [`Dropout`](super::Dropout) is.
    ///
    /// ```
    /// use burn::tensor::activation::softmax;
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::{DropKeyConfig, Generator};
    ///
    /// let drop_key = DropKeyConfig::new(0.3).init_with(&Generator::philox(42));
    /// let scores = Tensor::<3>::ones([2, 4, 8], &Device::flex().autodiff()); // (head, query, key)
    /// let weights = softmax(drop_key.forward(scores), 2);
    /// let sums = weights.sum_dim(2).into_data();
    /// assert!(sums.iter::<f32>().all(|sum| (sum - 1.0).abs() < 1e-6));
    /// ```
    DropKey, DropKeyConfig {
        /// The probability that a score is dropped, from 0 to 1.
        prob
    }
}

one_tensor!(DropKey);
