//! The layers of `nn-dropout` as Burn modules.

use burn::backend::Dispatch;
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Flag, Module, ModuleDisplay, Param};
use burn::tensor::Tensor;
use nn_dropout::{Generator, Layer, default_generator};

use crate::op::DropoutBackend;

/// A module and its configuration.
macro_rules! module {
    ($(#[$doc:meta])* $name:ident, $config:ident, $dropped:literal) => {
        #[doc = concat!("Configuration of a [`", stringify!($name), "`] layer.")]
        #[derive(Config, Debug)]
        pub struct $config {
            #[doc = concat!("The probability that ", $dropped, " is dropped, in `[0, 1]`.")]
            pub prob: f64,
        }

        impl $config {
            /// A layer that draws from the process's [default generator](default_generator).
            ///
            /// # Panics
            ///
            /// If `prob` is below 0, above 1 or NaN.
            pub fn init(&self) -> $name {
                self.init_with(&default_generator())
            }

            /// A layer that draws from `generator`, which gives it its number.
            ///
            /// # Panics
            ///
            /// If `prob` is below 0, above 1 or NaN.
            pub fn init_with(&self, generator: &Generator) -> $name {
                let layer = nn_dropout::$name::with_generator(self.prob, generator);
                $name { layer: layer.unwrap_or_else(|error| panic!("{error}")), training: Param::from_bool(true) }
            }
        }

        $(#[$doc])*
        ///
        #[doc = concat!("To be made with [`", stringify!($config), "`]. Draws from the same [`Generator`] are the same on every")]
        /// backend and with any number of threads. A clone of a module shares its count of steps.
        #[derive(Module, Debug)]
        #[module(custom_display)]
        pub struct $name {
            #[module(skip)]
            layer: nn_dropout::$name,
            /// Whether to behave as during training; cleared by [`freeze`](Module::freeze).
            pub training: Param<Flag>,
        }

        impl $name {
            #[doc = concat!("The probability that ", $dropped, " is dropped.")]
            pub fn prob(&self) -> f64 {
                self.layer.p().get()
            }

            fn apply<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
                if !self.training.is_enabled() || !input.device().is_autodiff() {
                    return input;
                }
                match self.layer.draw_for(input.shape().as_slice()) {
                    Ok(Some(draw)) => Tensor::from_dispatch(Dispatch::apply_draw(input.into_dispatch(), draw)),
                    Ok(None) => input,
                    Err(error) => panic!("{error}"),
                }
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

/// A module whose elements are dropped one by one.
macro_rules! elementwise {
    ($(#[$doc:meta])* $name:ident, $config:ident) => {
        module!($(#[$doc])* $name, $config, "an element");

        impl $name {
            /// Applies the layer to a tensor of any shape.
            pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
                self.apply(input)
            }
        }
    };
}

/// A module that drops whole channels.
macro_rules! featurewise {
    ($(#[$doc:meta])* $name:ident, $config:ident) => {
        module!($(#[$doc])* $name, $config, "a channel");

        impl $name {
            /// Applies the layer.
            ///
            /// # Panics
            ///
            #[doc = concat!("If [`nn_dropout::", stringify!($name), "`] does not take tensors of this shape.")]
            pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
                self.apply(input)
            }
        }
    };
}

elementwise! {
    /// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`:
    /// [`nn_dropout::Dropout`] as a Burn module.
    ///
    /// As with `burn::nn::Dropout`, that is what it does to tensors on an autodiff device, unless the module is
    /// [frozen](Module::freeze); any other tensor comes back as it is, and nothing is drawn.
    Dropout, DropoutConfig
}
elementwise! {
    /// Dropout for self-normalising networks: [`nn_dropout::AlphaDropout`] as a Burn module, active where [`Dropout`] is.
    AlphaDropout, AlphaDropoutConfig
}
featurewise! {
    /// Dropout of the channels of signals: [`nn_dropout::Dropout1d`] as a Burn module, active where [`Dropout`] is.
    Dropout1d, Dropout1dConfig
}
featurewise! {
    /// Dropout of the channels of images: [`nn_dropout::Dropout2d`] as a Burn module, active where [`Dropout`] is.
    Dropout2d, Dropout2dConfig
}
featurewise! {
    /// Dropout of the channels of volumes: [`nn_dropout::Dropout3d`] as a Burn module, active where [`Dropout`] is.
    Dropout3d, Dropout3dConfig
}
featurewise! {
    /// Alpha dropout of channels: [`nn_dropout::FeatureAlphaDropout`] as a Burn module, active where [`Dropout`] is.
    FeatureAlphaDropout, FeatureAlphaDropoutConfig
}
