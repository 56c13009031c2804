//! A module of any kind.

use nn_dropout::{Config, Generator, Kind, Layer};

use super::front::{one_tensor, over_layer};

over_layer! {
    /// A layer of any kind that takes one tensor, for models that read from a file which it is.
    ///
    /// It acts where [`Dropout`](super::Dropout) does.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout::{Config, Kind};
    /// use nn_dropout_burn::{DropoutLayer, Generator};
    ///
    /// let config = Config::new("drop-path".parse()?, 0.5)?;
    /// let layer = DropoutLayer::from_config(config, &Generator::philox(42));
    /// assert_eq!(layer.to_string(), "DropPath {prob: 0.5}");
    ///
    /// let y = layer.forward(Tensor::<2>::ones([4, 3], &Device::flex().autodiff())).into_data();
    /// let y: Vec<f32> = y.iter().collect();
    /// assert!(y.chunks(3).all(|sample| sample == [0.0; 3] || sample == [2.0; 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DropoutLayer(Layer)
}

impl DropoutLayer {
    /// The module with this configuration, drawing from `generator`, which gives it its number.
    ///
    /// # Panics
    ///
    /// If the kind does not [take one tensor](Kind::takes_one_tensor).
    #[track_caller]
    pub fn from_config(config: Config, generator: &Generator) -> Self {
        let kind = config.kind();
        let names = Kind::names_of_one_tensor;
        assert!(kind.takes_one_tensor(), "a DropoutLayer is one of {}, but got {}", names(), kind.name());
        Self::over(Layer::from_config(config, generator))
    }
}

one_tensor!(DropoutLayer);
