//! What all modules have, and the macros that write them.

use std::fmt::Display;

use burn::backend::Dispatch;
use burn::module::{Content, DisplaySettings, Flag, Param};
use burn::tensor::{Device, Tensor};
use nn_dropout::{Draw, Layer, Mode};

use crate::op::DropoutBackend;

/// What `result` holds. Its error is the message of a panic at the caller's.
#[track_caller]
pub fn expect<T>(result: Result<T, impl Display>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// Whether a module in this mode acts on tensors on this device.
pub fn is_on(mode: Mode, training: &Param<Flag>, device: &Device) -> bool {
    match mode {
        Mode::Train => training.is_enabled() && device.is_autodiff(),
        Mode::Eval => false,
        Mode::MonteCarlo => true,
    }
}

/// The noise of the next call, for a tensor of this shape on this device. `None` where the layer is the identity.
#[track_caller]
pub fn draw(layer: &Layer, training: &Param<Flag>, device: &Device, shape: &[usize]) -> Option<Draw> {
    if is_on(layer.mode(), training, device) { expect(layer.draw(shape)) } else { None }
}

/// `input` with the noise of `draw`, which a [module](crate::Dropout::draw) or the library has made. Gradients go through it.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use nn_dropout_burn::{DropoutConfig, Generator, apply};
///
/// // Two shards of a batch draw the noise of the whole batch.
/// let dropout = DropoutConfig::new(0.5).init_with(&Generator::philox(42));
/// let device = Device::flex().autodiff();
/// let draw = dropout.draw(&[4, 3], &device).expect("in training mode");
/// let whole = apply(Tensor::<2>::ones([4, 3], &device), draw.clone());
/// let second = draw.block(&[4, 3], &[2, 0], &[2, 3]).expect("rows 2 and 3");
/// let shard = apply(Tensor::<2>::ones([2, 3], &device), second);
/// assert_eq!(shard.into_data(), whole.narrow(0, 2, 2).into_data());
/// ```
///
/// # Panics
///
/// If the tensor is not of floats, or has more elements than the draw.
#[track_caller]
pub fn apply<const D: usize>(input: Tensor<D>, draw: Draw) -> Tensor<D> {
    // A backend that fuses operations would say it much later.
    expect(draw.check(input.shape().num_elements()));
    noisy(input, draw)
}

/// The same for a draw that was drawn for the tensor.
fn noisy<const D: usize>(input: Tensor<D>, draw: Draw) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::apply_draw(input.into_dispatch(), draw))
}

/// What a layer that takes one tensor makes of it.
#[track_caller]
pub fn forward<const D: usize>(layer: &Layer, training: &Param<Flag>, input: Tensor<D>) -> Tensor<D> {
    match draw(layer, training, &input.device(), input.shape().as_slice()) {
        Some(draw) => noisy(input, draw),
        None => input,
    }
}

pub fn display_settings() -> Option<DisplaySettings> {
    DisplaySettings::new().with_new_line_after_attribute(false).optional()
}

/// The name of the layer, what it was made from in Burn's words, and whether it is frozen.
pub fn display(layer: &Layer, training: &Param<Flag>, content: Content) -> Option<Content> {
    let config = layer.config();
    let amount = match config.kind().amount() {
        "p" => "prob",
        "stddev" => "std",
        other => other,
    };
    let content = content.set_top_level_type(&config.kind().to_string()).add(amount, &config.amount());
    let content = config.options().iter().fold(content, |content, (name, value)| content.add(name, value));
    if training.is_enabled() { content.optional() } else { content.add("training", training).optional() }
}

/// A module over a layer, which is a [`Layer`] or one of the types over it.
macro_rules! over_layer {
    ($(#[$doc:meta])* $name:ident($layer:ty)) => {
        $(#[$doc])*
        ///
        /// Draws from the same [`Generator`](nn_dropout::Generator) are the same on every backend and with any number of threads. A
        /// clone of a module shares its count of steps.
        #[derive(burn::module::Module, Debug)]
        #[module(custom_display)]
        pub struct $name {
            #[module(skip)]
            layer: $layer,
            /// Whether to behave as during training; cleared by [`freeze`](burn::module::Module::freeze).
            pub training: burn::module::Param<burn::module::Flag>,
        }

        impl $name {
            fn over(layer: $layer) -> Self {
                Self { layer, training: burn::module::Param::from_bool(true) }
            }

            /// What kind of layer it is, and how much noise it makes.
            pub fn config(&self) -> &nn_dropout::Config {
                self.layer.config()
            }

            /// The noise of the next call for a tensor of this shape on this device, for [`apply`](crate::apply); or `None` where
            /// the module does nothing.
            ///
            /// # Panics
            ///
            /// If the layer does not take tensors of this shape, or needs numbers that the generator does not draw.
            #[track_caller]
            pub fn draw(&self, shape: &[usize], device: &burn::tensor::Device) -> Option<nn_dropout::Draw> {
                $crate::layers::front::draw(&self.layer, &self.training, device, shape)
            }

            /// The same module in another mode. A new one is in [`Mode::Train`](nn_dropout::Mode::Train): it acts on tensors on an
            /// autodiff device, unless it is [frozen](burn::module::Module::freeze). In
            /// [`Mode::MonteCarlo`](nn_dropout::Mode::MonteCarlo) it acts on all tensors, in
            /// [`Mode::Eval`](nn_dropout::Mode::Eval) on none.
            #[must_use]
            pub fn with_mode(mut self, mode: nn_dropout::Mode) -> Self {
                self.layer.set_mode(mode);
                self
            }
        }

        impl burn::module::ModuleDisplay for $name {
            fn custom_settings(&self) -> Option<burn::module::DisplaySettings> {
                $crate::layers::front::display_settings()
            }

            fn custom_content(&self, content: burn::module::Content) -> Option<burn::module::Content> {
                $crate::layers::front::display(&self.layer, &self.training, content)
            }
        }
    };
}
pub(super) use over_layer;

/// A module for one kind of layer, and its configuration: the amount of noise, then the options with their defaults and with what
/// sets them in a [`nn_dropout::Config`]. It is over a [`Layer`], or over the type that is named, which takes no options.
macro_rules! module {
    (
        $(#[$doc:meta])* $name:ident, $config:ident {
            $(#[$amount_doc:meta])* $amount:ident
            $(, $(#[$option_doc:meta])* $option:ident: $type:ty = $default:literal => $set:expr)* $(,)?
        }
    ) => {
        $crate::layers::front::module! {
            @ $(#[$doc])* $name(nn_dropout::Layer), $config {
                $(#[$amount_doc])* pub $amount: f64,
                $($(#[$option_doc])* #[config(default = $default)] pub $option: $type,)*
            }
            |config, generator| {
                let made = nn_dropout::Config::new(nn_dropout::Kind::$name, config.$amount);
                $(let made = made.and_then(|made| ($set)(made, config.$option.clone()));)*
                made.map(|made| nn_dropout::Layer::from_config(made, generator))
            }
        }
        $crate::layers::front::module!(@ $(#[$amount_doc])* $name $amount);
    };
    ($(#[$doc:meta])* $name:ident($layer:ty), $config:ident { $(#[$amount_doc:meta])* $amount:ident }) => {
        $crate::layers::front::module! {
            @ $(#[$doc])* $name($layer), $config { $(#[$amount_doc])* pub $amount: f64 }
            |config, generator| <$layer>::with_generator(config.$amount, generator)
        }
        $crate::layers::front::module!(@ $(#[$amount_doc])* $name $amount);
    };
    (@ $(#[$doc:meta])* $name:ident($layer:ty), $config:ident $fields:tt |$made_of:ident, $generator:ident| $made:expr) => {
        #[doc = concat!("Configuration of a [`", stringify!($name), "`] module.")]
        #[derive(burn::config::Config, Debug)]
        pub struct $config $fields

        impl $config {
            /// A module that draws from the process's [default generator](nn_dropout::default_generator).
            ///
            /// # Panics
            ///
            /// If a value is out of its range.
            #[track_caller]
            pub fn init(&self) -> $name {
                self.init_with(&nn_dropout::default_generator())
            }

            /// A module that draws from `generator`, which gives it its number.
            ///
            /// # Panics
            ///
            /// If a value is out of its range.
            #[track_caller]
            pub fn init_with(&self, $generator: &nn_dropout::Generator) -> $name {
                let $made_of = self;
                $name::over($crate::layers::front::expect($made))
            }
        }

        $crate::layers::front::over_layer! {
            $(#[$doc])*
            ///
            #[doc = concat!("Made with [`", stringify!($config), "`].")]
            $name($layer)
        }
    };
    (@ $(#[$amount_doc:meta])* $name:ident $amount:ident) => {
        impl $name {
            $(#[$amount_doc])*
            pub fn $amount(&self) -> f64 {
                self.config().amount()
            }
        }
    };
}
pub(super) use module;

/// `forward`, for modules that take one tensor.
macro_rules! one_tensor {
    ($($name:ident)*) => {$(
        impl $name {
            /// Applies the layer.
            ///
            /// # Panics
            ///
            /// If the layer does not take tensors of this shape, or needs numbers that the generator does not draw.
            #[track_caller]
            pub fn forward<const D: usize>(&self, input: burn::tensor::Tensor<D>) -> burn::tensor::Tensor<D> {
                $crate::layers::front::forward(&self.layer, &self.training, input)
            }
        }
    )*};
}
pub(super) use one_tensor;
