//! Stochastic depth: dropout of the paths of samples, and of whole layers.

use candle_core::{Result, Tensor};
use nn_dropout::PathMode;

use super::front::{draw, layer, one_tensor};

layer! {
    /// Zeroes whole samples, the first axis of a tensor, at the end of a residual branch: [`nn_dropout::DropPath`] for candle's
    /// tensors. It is stochastic depth.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use nn_dropout_candle::DropPath;
    ///
    /// let path = DropPath::new(0.2);
    /// let x = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
    /// let branch = (&x * 2.0)?;
    /// let y = path.forward_add(&branch, &x, true)?; // x + path(branch)
    /// assert!(y.flatten_all()?.to_vec1::<f32>()?.iter().all(|y| *y == 1.0 || *y == 3.5));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    DropPath(p)
}

one_tensor!(DropPath);

impl DropPath {
    /// Which samples are dropped together: each alone, or all of a batch.
    #[must_use]
    pub fn with_path_mode(self, mode: PathMode) -> Self {
        self.changed(|config| config.with_mode(mode))
    }

    /// Leaves kept samples as they are: timm's `scale_by_keep=False`.
    #[must_use]
    pub fn without_scaling(self) -> Self {
        self.changed(|config| config.with_scale_by_keep(false))
    }
}

layer! {
    /// Drops a whole layer of a network: [`nn_dropout::LayerDrop`] for candle.
    ///
    /// ```
    /// use candle_core::{DType, Device, Module, Tensor};
    /// use candle_nn::{Linear, VarBuilder};
    /// use nn_dropout_candle::LayerDrop;
    ///
    /// let linear = candle_nn::linear(3, 3, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    /// let layer_drop = LayerDrop::new(0.2);
    /// let x = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
    /// let y = layer_drop.forward(&x, true, |x| linear.forward(x))?; // x itself, one time in five
    /// assert_eq!(y.dims(), [4, 3]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    LayerDrop(p)
}

impl LayerDrop {
    /// What `layer` makes of `xs`, or `xs` if the layer is dropped. What is dropped does not run.
    ///
    /// # Errors
    ///
    /// Those of `layer`, and if p is out of its range and `train` is true.
    pub fn forward(&self, xs: &Tensor, train: bool, layer: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let draw = draw(&self.layer, train, &[])?;
        if draw.is_none_or(|draw| draw.keeps(0)) { layer(xs) } else { Ok(xs.clone()) }
    }
}
