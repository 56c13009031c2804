//! nn-dropout's layers for [candle](candle_core): reproducible noise whose masks are never stored.
//!
//! Replace `use candle_nn::Dropout` by `use nn_dropout_candle::Dropout`; nothing else changes in the model.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use nn_dropout_candle::{Dropout, manual_seed};
//!
//! manual_seed(42); // before the model is made
//! let dropout = Dropout::new(0.5);
//!
//! let x = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
//! let training = dropout.forward(&x, true)?;
//! let eval = dropout.forward(&x, false)?;
//! # assert!(training.flatten_all()?.to_vec1::<f32>()?.iter().all(|y| *y == 0.0 || *y == 2.0));
//! assert_eq!(eval.to_vec2::<f32>()?, x.to_vec2::<f32>()?);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! All other layers of `nn-dropout` are here too:
//!
//! - channels, paths and blocks: [`Dropout1d`], [`Dropout2d`], [`Dropout3d`], [`DropPath`], [`LayerDrop`], [`DropBlock2d`],
//!   [`DropBlock3d`]
//! - self-normalising networks: [`AlphaDropout`], [`FeatureAlphaDropout`]
//! - noise: [`GaussianDropout`], [`GaussianNoise`], [`NeftuneNoise`]
//! - weights: [`DropConnect`], [`EmbeddingDropout`]
//! - attention: [`TokenDropout`], [`DropKey`]
//! - recurrent and generative networks: [`Zoneout`], [`LabelDropout`]
//! - graphs: [`EdgeDropout`], [`NodeDropout`]
//!
//! [`DropoutLayer`] is one of any kind that takes one tensor. [`ConcreteDropout`] learns its p. [`ops::dropout`] is a function.
//! [`ApplyDraw`] is the one operation behind all of them, for noise of your own. [`seeded_var_builder`] draws the initial values of
//! a model's variables from a seed.
//!
//! # Devices
//!
//! On the CPU the noise is applied in one pass over the tensor's memory, whatever its strides. On CUDA and Metal each call copies
//! the tensor to the host and back, with the same values; the first call says so in the log. The features `cuda` and `metal` turn
//! on candle's.

#![forbid(unsafe_code)]

mod init;
mod layers;
mod op;
pub mod ops;

pub use init::seeded_var_builder;
pub use layers::*;
pub use nn_dropout::{
    Config, Generator, GeneratorState, Kind, Mode, PathMode, Schedule, default_generator, manual_seed,
};
pub use op::ApplyDraw;

/// Compiles and runs the Rust in the pages.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/candle.md")]
    struct Candle;
}
