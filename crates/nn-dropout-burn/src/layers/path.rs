//! Stochastic depth: dropout of the paths of samples, and of whole layers.

use burn::tensor::Tensor;
use nn_dropout::{Config, PathMode};

use super::front::{draw, module, one_tensor};

module! {
    /// Zeroes whole samples, the first axis of a tensor, at the end of a residual branch: [`nn_dropout::DropPath`] as a Burn
    /// module, active where [`Dropout`](super::Dropout) is. It is stochastic depth.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::DropPathConfig;
    ///
    /// let path = DropPathConfig::new(0.2).init();
    /// let x = Tensor::<2>::ones([4, 3], &Device::flex().autodiff());
    /// let branch = x.clone() * 2.0;
    /// let y = x + path.forward(branch);
    /// assert!(y.to_data().iter::<f32>().all(|y| y == 1.0 || y == 3.5));
    /// ```
    DropPath, DropPathConfig {
        /// The probability that a sample is dropped, from 0 to 1.
        prob,
        /// Whether each sample is dropped alone, or all of a batch together.
        mode: PathMode = "PathMode::Row" => Config::with_mode,
        /// Whether kept samples are multiplied by `1 / (1 - p)`.
        scale_by_keep: bool = true => Config::with_scale_by_keep,
    }
}

one_tensor!(DropPath);

module! {
    /// Drops a whole layer of a network: [`nn_dropout::LayerDrop`] as a Burn module, active where [`Dropout`](super::Dropout) is.
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::LayerDropConfig;
    ///
    /// let device = Device::flex().autodiff();
    /// let linear = LinearConfig::new(3, 3).init(&device);
    /// let layer_drop = LayerDropConfig::new(0.2).init();
    /// let x = Tensor::<2>::ones([4, 3], &device);
    /// let y = layer_drop.forward(x, |x| linear.forward(x)); // x itself, one time in five
    /// assert_eq!(y.dims(), [4, 3]);
    /// ```
    LayerDrop, LayerDropConfig {
        /// The probability that the layer is dropped, from 0 to 1.
        prob
    }
}

impl LayerDrop {
    /// What `layer` makes of the input, or the input if the layer is dropped. What is dropped does not run.
    #[track_caller]
    pub fn forward<const D: usize>(&self, input: Tensor<D>, layer: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
        let draw = draw(&self.layer, &self.training, &input.device(), &[]);
        if draw.is_none_or(|draw| draw.keeps(0)) { layer(input) } else { input }
    }
}
