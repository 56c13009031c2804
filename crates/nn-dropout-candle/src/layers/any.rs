//! A layer of any kind.

use candle_core::{Result, bail};
use nn_dropout::{Config, Generator, Kind, Layer};

use super::front::{one_tensor, over_layer};

over_layer! {
    /// A layer of any kind that takes one tensor, for models that read from a file which it is.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use nn_dropout::{Config, Kind};
    /// use nn_dropout_candle::{DropoutLayer, Generator};
    ///
    /// let config = Config::new("drop-path".parse()?, 0.5)?;
    /// let layer = DropoutLayer::from_config(config, &Generator::philox(42))?;
    /// assert_eq!(layer.to_string(), "DropPath(p=0.5)");
    ///
    /// let y = layer.forward(&Tensor::ones((4, 3), DType::F32, &Device::Cpu)?, true)?;
    /// assert!(y.to_vec2::<f32>()?.iter().all(|sample| *sample == [0.0; 3] || *sample == [2.0; 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DropoutLayer(Box<Layer>)
}

impl DropoutLayer {
    /// The layer with this configuration, drawing from `generator`, which gives it its number.
    ///
    /// # Errors
    ///
    /// If the kind does not [take one tensor](Kind::takes_one_tensor).
    pub fn from_config(config: Config, generator: &Generator) -> Result<Self> {
        let kind = config.kind();
        if !kind.takes_one_tensor() {
            bail!("a DropoutLayer is one of {}, but got {}", Kind::names_of_one_tensor(), kind.name());
        }
        Ok(Self { layer: Ok(Box::new(Layer::from_config(config, generator))) })
    }
}

one_tensor!(DropoutLayer);
