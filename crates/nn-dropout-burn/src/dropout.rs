//! Element-wise dropout as a Burn module.

use burn::backend::Dispatch;
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Flag, Module, ModuleDisplay, Param};
use burn::tensor::Tensor;
use nn_dropout::{Generator, default_generator};

use crate::op::DropoutBackend;

/// Configuration of a [`Dropout`] layer.
#[derive(Config, Debug)]
pub struct DropoutConfig {
    /// The probability that an element is dropped, in `[0, 1]`.
    pub prob: f64,
}

impl DropoutConfig {
    /// A layer that draws from the process's [default generator](default_generator).
    ///
    /// # Panics
    ///
    /// If `prob` is below 0, above 1 or NaN.
    pub fn init(&self) -> Dropout {
        self.init_with(&default_generator())
    }

    /// A layer that draws from `generator`, which gives it its number.
    ///
    /// # Panics
    ///
    /// If `prob` is below 0, above 1 or NaN.
    pub fn init_with(&self, generator: &Generator) -> Dropout {
        let layer = nn_dropout::Dropout::with_generator(self.prob, generator).unwrap_or_else(|error| panic!("{error}"));
        Dropout { layer, training: Param::from_bool(true) }
    }
}

/// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`:
/// [`nn_dropout::Dropout`] as a Burn module.
///
/// As with `burn::nn::Dropout`, that is what it does to tensors on an autodiff device, unless the module is
/// [frozen](Module::freeze); any other tensor comes back as it is, and nothing is drawn.
///
/// To be made with [`DropoutConfig`]. Draws from the same [`Generator`] are the same on every backend and with any number
/// of threads. A clone of a module shares its count of steps.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct Dropout {
    #[module(skip)]
    layer: nn_dropout::Dropout,
    /// Whether to behave as during training; cleared by [`freeze`](Module::freeze).
    pub training: Param<Flag>,
}

impl Dropout {
    /// The probability that an element is dropped.
    pub fn prob(&self) -> f64 {
        self.layer.p().get()
    }

    /// Applies the layer to a tensor of any shape.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if !self.training.is_enabled() || !input.device().is_autodiff() {
            return input;
        }
        match self.layer.draw() {
            Some(draw) => Tensor::from_dispatch(Dispatch::apply_draw(input.into_dispatch(), draw)),
            None => input,
        }
    }
}

impl ModuleDisplay for Dropout {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let content = content.add("prob", &self.prob());
        if self.training.is_enabled() { content.optional() } else { content.add("training", &self.training).optional() }
    }
}
