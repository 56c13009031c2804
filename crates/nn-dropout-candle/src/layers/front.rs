//! What all layers have, and the macros that write them.

use std::cmp::Reverse;
use std::fmt;
use std::ops::{Deref, DerefMut};

use candle_core::{Error, Layout, Result, Tensor};
use nn_dropout::{Config, ConfigError, Draw, Layer, Mode};

use crate::op::ApplyDraw;

/// A layer of the library, or why there is none.
pub type Made<L> = std::result::Result<L, ConfigError>;

/// The layer, if it acts in a call with this flag. One that could not be made is an error of training.
pub fn acting<L: Deref<Target = Layer>>(layer: &Made<L>, train: bool) -> Result<Option<&L>> {
    match layer {
        Ok(layer) => Ok(is_on(layer.mode(), train).then_some(layer)),
        Err(error) if train => Err(Error::msg(error)),
        Err(_) => Ok(None),
    }
}

/// Whether a layer in this mode acts in a call with this flag.
pub const fn is_on(mode: Mode, train: bool) -> bool {
    match mode {
        Mode::Train => train,
        Mode::Eval => false,
        Mode::MonteCarlo => true,
    }
}

/// The noise of the next call, for a tensor of this shape. `None` where the layer is the identity.
pub fn draw<L: Deref<Target = Layer>>(layer: &Made<L>, train: bool, shape: &[usize]) -> Result<Option<Draw>> {
    let Some(layer) = acting(layer, train)? else { return Ok(None) };
    layer.draw(shape).map_err(Error::msg)
}

/// The same for this tensor: PyTorch's masks follow the order of its elements in memory.
pub fn draw_on<L: Deref<Target = Layer>>(layer: &Made<L>, train: bool, xs: &Tensor) -> Result<Option<Draw>> {
    let Some(layer) = acting(layer, train)? else { return Ok(None) };
    layer.draw_in_order(xs.dims(), || Some(memory_order(xs.layout()))).map_err(Error::msg)
}

/// Which of `count` are kept in the next call. `None` if all are.
pub fn keeps<L: Deref<Target = Layer>>(
    layer: &Made<L>,
    count: usize,
    train: bool,
) -> Result<Option<impl Fn(usize) -> bool>> {
    Ok(draw(layer, train, &[count])?.map(|draw| move |number| draw.keeps(number as u64)))
}

/// The axes from the slowest to the fastest in memory.
fn memory_order(layout: &Layout) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..layout.dims().len()).collect();
    axes.sort_by_key(|&axis| Reverse(layout.stride()[axis]));
    axes
}

/// What a layer makes of one tensor.
pub fn forward<L: Deref<Target = Layer>>(layer: &Made<L>, xs: &Tensor, train: bool) -> Result<Tensor> {
    match draw_on(layer, train, xs)? {
        Some(draw) => xs.apply_op1(ApplyDraw(draw)),
        None => Ok(xs.clone()),
    }
}

/// That, added to `residual`.
pub fn forward_add<L: Deref<Target = Layer>>(
    layer: &Made<L>,
    xs: &Tensor,
    residual: &Tensor,
    train: bool,
) -> Result<Tensor> {
    match draw_on(layer, train, xs)? {
        Some(draw) => xs.apply_op2(residual, ApplyDraw(draw)),
        None => residual + xs,
    }
}

/// The layer after a change of its configuration.
pub fn changed<L: DerefMut<Target = Layer>>(layer: Made<L>, change: impl FnOnce(Config) -> Made<Config>) -> Made<L> {
    let mut layer = layer?;
    *layer = Layer::clone(&layer).try_map_config(change)?;
    Ok(layer)
}

/// As the library prints it, or what is wrong with it.
pub fn display<L: Deref<Target = Layer>>(layer: &Made<L>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match layer {
        Ok(layer) => fmt::Display::fmt(&**layer, f),
        Err(error) => fmt::Display::fmt(error, f),
    }
}

/// A type over what dereferences to a [`Layer`].
macro_rules! over_layer {
    ($(#[$doc:meta])* $name:ident($layer:ty)) => {
        $(#[$doc])*
        ///
        /// A clone shares the count of steps: no two calls of the two have the same noise.
        #[derive(Clone, Debug)]
        pub struct $name {
            layer: $crate::layers::front::Made<$layer>,
        }

        impl $name {
            /// The library's layer: its configuration, its number, and its draws for operations of your own.
            ///
            /// # Errors
            ///
            /// If the layer was made with a value that is out of its range.
            pub fn layer(&self) -> candle_core::Result<&nn_dropout::Layer> {
                self.layer.as_deref().map_err(candle_core::Error::msg)
            }

            /// The same layer in another mode. A new one is in [`Mode::Train`](nn_dropout::Mode::Train): it acts where `train` is
            /// true. In [`Mode::MonteCarlo`](nn_dropout::Mode::MonteCarlo) it acts in all calls, in
            /// [`Mode::Eval`](nn_dropout::Mode::Eval) in none.
            #[must_use]
            pub fn with_mode(mut self, mode: nn_dropout::Mode) -> Self {
                if let Ok(layer) = &mut self.layer {
                    layer.set_mode(mode);
                }
                self
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::layers::front::display(&self.layer, f)
            }
        }
    };
}
pub(super) use over_layer;

/// A type over the library's front of the same name, and the name of the number that it takes.
macro_rules! layer {
    ($(#[$doc:meta])* $name:ident($amount:ident)) => {
        $crate::layers::front::over_layer! { $(#[$doc])* $name(nn_dropout::$name) }

        impl $name {
            #[doc = concat!("A layer with this ", stringify!($amount), ", drawing from the process's")]
            /// [default generator](nn_dropout::default_generator).
            ///
            #[doc = concat!("If `", stringify!($amount), "` is out of its [range](nn_dropout::Config), calls with `train` are errors.")]
            pub fn new($amount: impl Into<f64>) -> Self {
                Self::with_generator($amount, &nn_dropout::default_generator())
            }

            /// The same, drawing from `generator`, which gives it its number.
            pub fn with_generator($amount: impl Into<f64>, generator: &nn_dropout::Generator) -> Self {
                Self { layer: nn_dropout::$name::with_generator($amount.into(), generator) }
            }

            /// The amount of noise follows this schedule, and not the
            /// [generator's](nn_dropout::Generator::set_schedule).
            #[must_use]
            pub fn with_schedule(self, schedule: nn_dropout::Schedule) -> Self {
                self.changed(|config| Ok(config.with_schedule(schedule)))
            }

            pub(super) fn changed(
                self,
                change: impl FnOnce(nn_dropout::Config) -> $crate::layers::front::Made<nn_dropout::Config>,
            ) -> Self {
                Self { layer: $crate::layers::front::changed(self.layer, change) }
            }
        }
    };
}
pub(super) use layer;

/// `forward`, for layers that take one tensor.
macro_rules! one_tensor {
    ($($name:ident)*) => {$(
        impl $name {
            /// Applies the layer. Where it is the identity, the result is `xs` itself, and nothing is drawn.
            ///
            /// # Errors
            ///
            /// If the layer was made with a value that is out of its range and `train` is true, does not take tensors of this
            /// shape or type, or needs numbers that the generator does not draw.
            pub fn forward(&self, xs: &candle_core::Tensor, train: bool) -> candle_core::Result<candle_core::Tensor> {
                $crate::layers::front::forward(&self.layer, xs, train)
            }

            /// `residual + forward(xs)` in one pass over memory, to the same bits.
            ///
            /// # Errors
            ///
            /// As of [`forward`](Self::forward), and if the two tensors differ in shape or type.
            pub fn forward_add(
                &self,
                xs: &candle_core::Tensor,
                residual: &candle_core::Tensor,
                train: bool,
            ) -> candle_core::Result<candle_core::Tensor> {
                $crate::layers::front::forward_add(&self.layer, xs, residual, train)
            }
        }

        impl candle_core::ModuleT for $name {
            fn forward_t(&self, xs: &candle_core::Tensor, train: bool) -> candle_core::Result<candle_core::Tensor> {
                self.forward(xs, train)
            }
        }
    )*};
}
pub(super) use one_tensor;
