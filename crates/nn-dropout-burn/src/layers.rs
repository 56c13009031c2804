//! The layers of `nn-dropout` as Burn modules.

use burn::backend::Dispatch;
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Flag, Module, ModuleDisplay, Param};
use burn::tensor::Tensor;
use nn_dropout::{Generator, Kind, Layer, default_generator};

use crate::op::DropoutBackend;

#[track_caller]
fn layer(kind: Kind, prob: f64, generator: &Generator) -> Layer {
    match Layer::with_generator(kind, prob, generator) {
        Ok(layer) => layer,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn forward<const D: usize>(layer: &Layer, training: &Param<Flag>, input: Tensor<D>) -> Tensor<D> {
    if !training.is_enabled() || !input.device().is_autodiff() {
        return input;
    }
    match layer.draw(input.shape().as_slice()) {
        Ok(Some(draw)) => Tensor::from_dispatch(Dispatch::apply_draw(input.into_dispatch(), draw)),
        Ok(None) => input,
        Err(error) => panic!("{error}"),
    }
}

/// A module and its configuration, for a kind of layer.
macro_rules! module {
    ($(#[$doc:meta])* $name:ident, $config:ident) => {
        #[doc = concat!("Configuration of a [`", stringify!($name), "`] layer.")]
        #[derive(Config, Debug)]
        pub struct $config {
            /// The probability that an element, or a channel, is dropped, in `[0, 1]`.
            pub prob: f64,
        }

        impl $config {
            /// A layer that draws from the process's [default generator](default_generator).
            ///
            /// # Panics
            ///
            /// If `prob` is below 0, above 1 or NaN.
            #[track_caller]
            pub fn init(&self) -> $name {
                self.init_with(&default_generator())
            }

            /// A layer that draws from `generator`, which gives it its number.
            ///
            /// # Panics
            ///
            /// If `prob` is below 0, above 1 or NaN.
            #[track_caller]
            pub fn init_with(&self, generator: &Generator) -> $name {
                $name { layer: layer(Kind::$name, self.prob, generator), training: Param::from_bool(true) }
            }
        }

        $(#[$doc])*
        ///
        #[doc = concat!("Made with [`", stringify!($config), "`]. Draws from the same [`Generator`] are the same on every backend")]
        /// and with any number of threads. A clone of a module shares its count of steps.
        #[derive(Module, Debug)]
        #[module(custom_display)]
        pub struct $name {
            #[module(skip)]
            layer: Layer,
            /// Whether to behave as during training; cleared by [`freeze`](Module::freeze).
            pub training: Param<Flag>,
        }

        impl $name {
            /// The probability that an element, or a channel, is dropped.
            pub fn prob(&self) -> f64 {
                self.layer.p().get()
            }

            /// Applies the layer.
            ///
            /// # Panics
            ///
            #[doc = concat!("If [`nn_dropout::", stringify!($name), "`] does not take tensors of this shape.")]
            #[track_caller]
            pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
                forward(&self.layer, &self.training, input)
            }
        }

        impl ModuleDisplay for $name {
            fn custom_settings(&self) -> Option<DisplaySettings> {
                DisplaySettings::new().with_new_line_after_attribute(false).optional()
            }

            fn custom_content(&self, content: Content) -> Option<Content> {
                let content = content.add("prob", &self.prob());
                if self.training.is_enabled() {
                    content.optional()
                } else {
                    content.add("training", &self.training).optional()
                }
            }
        }
    };
}

module! {
    /// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`:
    /// [`nn_dropout::Dropout`] as a Burn module.
    ///
    /// As with `burn::nn::Dropout`, that is what it does to tensors on an autodiff device, unless the module is
    /// [frozen](Module::freeze). Any other tensor comes back unchanged, and nothing is drawn.
    Dropout, DropoutConfig
}
module! {
    /// Dropout for self-normalising networks: [`nn_dropout::AlphaDropout`] as a Burn module, active where [`Dropout`] is.
    AlphaDropout, AlphaDropoutConfig
}
module! {
    /// Dropout of the channels of signals: [`nn_dropout::Dropout1d`] as a Burn module, active where [`Dropout`] is.
    Dropout1d, Dropout1dConfig
}
module! {
    /// Dropout of the channels of images: [`nn_dropout::Dropout2d`] as a Burn module, active where [`Dropout`] is.
    Dropout2d, Dropout2dConfig
}
module! {
    /// Dropout of the channels of volumes: [`nn_dropout::Dropout3d`] as a Burn module, active where [`Dropout`] is.
    Dropout3d, Dropout3dConfig
}
module! {
    /// Alpha dropout of channels: [`nn_dropout::FeatureAlphaDropout`] as a Burn module, active where [`Dropout`] is.
    FeatureAlphaDropout, FeatureAlphaDropoutConfig
}
