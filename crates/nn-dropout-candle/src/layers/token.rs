//! Dropout of tokens and of attention keys.

use candle_core::{Error, Result, Tensor};

use super::front::{acting, layer, one_tensor};

layer! {
    /// Drops whole tokens, the vectors along the last axis: [`nn_dropout::TokenDropout`] for candle's tensors.
    ///
    /// [`forward`](Self::forward) zeroes tokens. [`keep_tokens`](Self::keep_tokens) removes them, so that the layers after it have
    /// less to do.
    TokenDropout(p)
}

one_tensor!(TokenDropout);

impl TokenDropout {
    /// The tokens that are kept of a tensor of shape (sample, token, width), and their numbers in u32, of shape (sample, kept
    /// token). Each sample keeps its first `prefix` tokens, such as a class token, and `1 - p` of the others, rounded down, but at
    /// least one. The numbers are ascending. Nothing is scaled.
    ///
    /// Where the layer does not act these are all tokens.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use nn_dropout_candle::TokenDropout;
    ///
    /// let dropout = TokenDropout::new(0.5);
    /// let patches = Tensor::ones((2, 1 + 16, 8), DType::F32, &Device::Cpu)?;
    /// let (kept, numbers) = dropout.keep_tokens(&patches, 1, true)?;
    /// assert_eq!((kept.dims3()?, numbers.dims2()?), ((2, 1 + 8, 8), (2, 1 + 8)));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the tensor has another number of dimensions, the generator draws no numbers, as PyTorch's and JAX's do not, or p is out
    /// of its range and `train` is true.
    pub fn keep_tokens(&self, xs: &Tensor, prefix: usize, train: bool) -> Result<(Tensor, Tensor)> {
        let (samples, tokens, width) = xs.dims3()?;
        let Some(layer) = acting(&self.layer, train)?.filter(|_| samples > 0) else {
            let all = (0..samples).flat_map(|_| 0..tokens as u32);
            return Ok((xs.clone(), Tensor::from_iter(all, xs.device())?.reshape((samples, tokens))?));
        };
        let kept = layer.kept(samples, tokens, prefix).map_err(Error::msg)?;
        let count = kept.len() / samples;
        let rows = kept.iter().enumerate().map(|(i, token)| (i / count * tokens + token) as i64);
        let rows = Tensor::from_iter(rows, xs.device())?;
        let numbers = Tensor::from_iter(kept.iter().map(|&token| token as u32), xs.device())?;
        let kept = xs.reshape((samples * tokens, width))?.index_select(&rows, 0)?;
        Ok((kept.reshape((samples, count, width))?, numbers.reshape((samples, count))?))
    }
}

layer! {
    /// Makes elements of attention scores negative infinity, before the softmax: [`nn_dropout::DropKey`] for candle's tensors.
    ///
    /// ```
    /// use candle_core::{D, DType, Device, Tensor};
    /// use candle_nn::ops::softmax;
    /// use nn_dropout_candle::{DropKey, Generator};
    ///
    /// let drop_key = DropKey::with_generator(0.3, &Generator::philox(42));
    /// let scores = Tensor::ones((2, 4, 8), DType::F32, &Device::Cpu)?; // (head, query, key)
    /// let weights = softmax(&drop_key.forward(&scores, true)?, D::Minus1)?;
    /// let sums = weights.sum(D::Minus1)?.flatten_all()?.to_vec1::<f32>()?;
    /// assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    DropKey(p)
}

one_tensor!(DropKey);
