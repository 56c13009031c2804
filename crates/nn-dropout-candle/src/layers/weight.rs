//! Dropout of weights.

use candle_core::{Result, Tensor};
use nn_dropout::Affine;

use super::front::{draw, layer, one_tensor};
use crate::op::ApplyDraw;

layer! {
    /// Zeroes every element of a weight tensor with probability p and multiplies the rest by `1 / (1 - p)`:
    /// [`nn_dropout::DropConnect`] for candle's tensors.
    ///
    /// ```
    /// use candle_core::{DType, Device, Module, Tensor};
    /// use candle_nn::{Linear, VarBuilder};
    /// use nn_dropout_candle::DropConnect;
    ///
    /// let layer = candle_nn::linear(4, 3, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    /// let drop_connect = DropConnect::new(0.5);
    /// let forward = |x: &Tensor, train| {
    ///     let weight = drop_connect.forward(layer.weight(), train)?;
    ///     Linear::new(weight, layer.bias().cloned()).forward(x)
    /// };
    /// assert_eq!(forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?, true)?.dims(), [2, 3]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    DropConnect(p)
}

one_tensor!(DropConnect);

layer! {
    /// Looks words up in an embedding table, of which whole rows are dropped: [`nn_dropout::EmbeddingDropout`] for candle's tensors.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use candle_nn::VarBuilder;
    /// use nn_dropout_candle::EmbeddingDropout;
    ///
    /// let table = candle_nn::embedding(10, 4, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    /// let dropout = EmbeddingDropout::new(0.1);
    /// let tokens = Tensor::new(&[[1u32, 2, 1], [7, 1, 3]], &Device::Cpu)?;
    /// let y = dropout.forward(table.embeddings(), &tokens, true)?; // in place of table.forward(&tokens)
    /// assert_eq!(y.dims(), [2, 3, 4]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    EmbeddingDropout(p)
}

impl EmbeddingDropout {
    /// The rows of `weight`, of shape (vocabulary, width), that have the numbers `tokens`, of any shape, as a tensor of that shape
    /// and a last axis of a row each. A word is dropped wherever it occurs in a call.
    ///
    /// The result is that of dropping rows of the table. But the table itself is only looked up in: what is made is one number
    /// for each word of the vocabulary.
    ///
    /// # Errors
    ///
    /// If there is no row with one of the numbers, or p is out of its range and `train` is true.
    pub fn forward(&self, weight: &Tensor, tokens: &Tensor, train: bool) -> Result<Tensor> {
        let (words, width) = weight.dims2()?;
        let draw = draw(&self.layer, train, &[words, 1])?;
        let numbers = tokens.flatten_all()?;
        let rows = weight.index_select(&numbers, 0)?;
        let rows = match draw {
            None => rows,
            Some(draw) => {
                let affine = draw.affine::<f64>();
                let ones = Tensor::ones((words, 1), weight.dtype(), weight.device())?;
                let scales = ones.apply_op1_no_bwd(&ApplyDraw(draw))?.index_select(&numbers, 0)?;
                match affine {
                    // A product with the inverse would not have the same bits.
                    Affine::Divide(divisor) => {
                        let divisor = Tensor::new(divisor, weight.device())?.to_dtype(weight.dtype())?;
                        let dropped = scales.eq(0.0)?.broadcast_as(rows.shape())?;
                        dropped.where_cond(&rows.zeros_like()?, &rows.broadcast_div(&divisor)?)?
                    }
                    _ => rows.broadcast_mul(&scales)?,
                }
            }
        };
        rows.reshape([tokens.dims(), &[width]].concat())
    }
}
