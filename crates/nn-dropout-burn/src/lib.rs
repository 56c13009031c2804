//! nn-dropout's layers for [Burn](burn): reproducible noise whose masks are never stored.
//!
//! Replace `use burn::nn::{Dropout, DropoutConfig}` by `use nn_dropout_burn::{Dropout, DropoutConfig}`; nothing else
//! changes in the model.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use nn_dropout_burn::{DropoutConfig, manual_seed};
//!
//! manual_seed(42); // before the model is made
//! let dropout = DropoutConfig::new(0.5).init();
//!
//! let x = Tensor::<2>::ones([2, 3], &Device::flex().autodiff());
//! let training = dropout.forward(x.clone());
//! let eval = dropout.forward(x.inner());
//! # assert!(training.to_data().iter::<f32>().all(|y| y == 0.0 || y == 2.0));
//! assert_eq!(eval.to_data(), Tensor::<2>::ones([2, 3], &Device::flex()).to_data());
//! ```
//!
//! All other layers of `nn-dropout` are modules too, each with a `Config` of its name:
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
//! [`DropoutLayer`] is one of any kind that takes one tensor. [`ConcreteDropout`] learns its p.
//!
//! # Backends
//!
//! On Flex, Burn's own CPU backend, the noise is applied to the tensor's own memory. All GPUs have one kernel, which draws the
//! same mask in registers. `NdArray` and `LibTorch` get it through a tensor made on the host. Turn a backend's feature on here as
//! well as in Burn (`cpu`, `cuda`, `metal`, `ndarray`, `rocm`, `tch`, `vulkan`, `webgpu`, `wgpu`). The backward pass computes the
//! mask again on all of them.
//!
//! [`apply`] is for draws that no module has made: parts of a tensor, say.

#[cfg(feature = "cube")]
mod cube;
mod layers;
#[cfg_attr(feature = "ndarray", expect(deprecated, reason = "Burn will drop its NdArray backend; until then it works"))]
mod op;

pub use layers::*;
pub use nn_dropout::{Generator, GeneratorState, Mode, PathMode, default_generator, manual_seed};
pub use op::DropoutBackend;

/// Compiles and runs the Rust in the pages.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Project;
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/tutorial.md")]
    struct Tutorial;
    #[doc = include_str!("../../../docs/burn.md")]
    struct Burn;
}
