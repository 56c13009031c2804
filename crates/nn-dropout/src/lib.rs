//! Dropout whose mask is a value, not a tensor.
//!
//! In training mode every element is zeroed with probability *p* and the others are multiplied by
//! `1 / (1 - p)` (inverted dropout), so that nothing needs scaling in eval mode. Which elements
//! are kept is a pure function of (seed, layer, step, element index): a [`Mask`] takes 40 bytes whatever
//! the size of the tensor, can be asked about any element on any thread, shard or device in any order,
//! and is computed again in backward instead of being stored.
//!
//! ```
//! use nn_dropout::Dropout;
//!
//! nn_dropout::manual_seed(42);
//! let mut dropout = Dropout::new(0.5)?;
//! let first = dropout.forward([1.0, 2.0, 3.0, 4.0]);
//! assert!(first.iter().zip([2.0, 4.0, 6.0, 8.0]).all(|(&y, twice)| y == 0.0 || y == twice));
//!
//! dropout.eval();
//! assert_eq!(dropout.forward([1.0, 2.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 4.0]);
//! # Ok::<(), nn_dropout::ConfigError>(())
//! ```
//!
//! # What to use when
//!
//! | you want | use |
//! |---|---|
//! | a layer | [`Dropout`], [`DropPath`], [`GaussianNoise`] and the others, named as in PyTorch and the projects around it |
//! | a layer that a file or an option names | [`Layer`], made from a [`Config`] |
//! | to write the backward pass yourself | [`Draw`]: the noise of one call, for forward and backward; [`On`] fuses it with a bias and a residual |
//! | a mask without a layer | [`Mask::philox`], and [`Mask::keeps`] or [`Mask::fill_bits`] |
//! | to share out a tensor among threads, ranks or devices | [`Draw::block`] |
//! | to resume a training | [`Generator::state`] and [`Generator::set_state`] |
//! | noise that changes during a training | [`Schedule`] |
//! | predictions with their uncertainty | [`Mode::MonteCarlo`], and [`MonteCarlo`] to collect them |
//! | the masks of PyTorch or JAX | [`Generator::torch`], [`Generator::jax`] |
//! | a kernel of your own, on a GPU or in another language | [`Draw::mask`], [`Draw::index`] and [`Draw::affine`] |
//!
//! The examples `slices_mlp`, `slices_shards` and `slices_resume` are short programs. What the types are made of, from the
//! bottom up:
//!
//! - [`Probability`]: p, checked once.
//! - [`Mask`]: which elements are kept. Its definition is a promise and will not change.
//! - [`Index`]: which bit of a mask each element gets. Shared axes, parts of a tensor and orders of memory are strides.
//! - [`Draw`]: a mask, an index and an [`Effect`].
//! - [`Generator`]: a seed. It gives every layer its number and every training-mode call its mask.
//! - [`Layer`]: a [`Kind`] with its [`Config`], and a [`Mode`]. [`Dropout`] and all others are one each.
//!
//! # Speed
//!
//! Bits are drawn and applied in one pass over memory with the widest vector instructions that the CPU has: AVX-512 or AVX2
//! on x86-64, NEON on AArch64, simd128 on WebAssembly where the program is compiled for it; see [`kernel_name`]. The bits
//! and values are the same with all of them, and on any number of threads. Nothing is allocated, except one bit per
//! element for PyTorch's masks.
//!
//! # Features
//!
//! - `rayon` (default): large tensors are shared out among rayon's threads.
//! - `serde`: [`Mask`], [`Index`], [`Draw`], [`Config`], [`Mode`], [`Schedule`], [`GeneratorState`] and their parts can be
//!   serialised.
//! - `ndarray`: layers accept `ndarray` arrays and views of any dimension and strides.

#![deny(unsafe_code)]

mod draw;
mod generator;
mod input;
mod kernel;
mod layer;
mod monte_carlo;
mod spec;

pub use half::{bf16, f16};

pub use self::draw::{ApplyError, Draw, Effect, Mask, On, bias_gradient};
pub use self::generator::{Generator, GeneratorState, Schedule, TorchStateError, default_generator, manual_seed};
pub use self::input::Input;
pub use self::kernel::{Affine, Element, kernel_name, single_threaded};
pub use self::layer::{
    AlphaDropout, Config, ConfigError, DrawError, DropBlock2d, DropBlock3d, DropConnect, DropKey, DropPath, Dropout,
    Dropout1d, Dropout2d, Dropout3d, EdgeDropout, EmbeddingDropout, FeatureAlphaDropout, GaussianDropout,
    GaussianNoise, KeptEdges, KeptNodes, Kind, KindError, LabelDropout, Layer, LayerDrop, LayerError, LockedDropout,
    Mode, NeftuneNoise, NodeDropout, PathMode, TokenDropout, Zoneout,
};
pub use self::monte_carlo::MonteCarlo;
pub use self::spec::index::{Axis, Index, IndexError};
pub use self::spec::magnitude::{Magnitude, MagnitudeError};
pub use self::spec::number::Distribution;
pub use self::spec::probability::{Probability, ProbabilityError};
pub use self::spec::threefry::JaxKey;

/// Compiles and runs the Rust in the pages.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/checkpointing.md")]
    struct Checkpointing;
    #[doc = include_str!("../../../docs/draw.md")]
    struct Draw;
    #[doc = include_str!("../../../docs/generators.md")]
    struct Generators;
    #[doc = include_str!("../../../docs/layers.md")]
    struct Layers;
    #[doc = include_str!("../../../docs/mask.md")]
    struct Mask;
    #[doc = include_str!("../../../docs/port-from-pytorch-and-jax.md")]
    struct Port;
    #[doc = include_str!("../../../docs/recipes.md")]
    struct Recipes;
    #[doc = include_str!("../../../docs/resume.md")]
    struct Resume;
    #[doc = include_str!("../../../docs/shards.md")]
    struct Shards;
    #[doc = include_str!("../../../docs/slices.md")]
    struct Slices;
    #[doc = include_str!("../../../docs/uncertainty.md")]
    struct Uncertainty;
    #[doc = include_str!("../../../docs/layers/alpha-dropout.md")]
    struct AlphaDropout;
    #[doc = include_str!("../../../docs/layers/channels.md")]
    struct Channels;
    #[doc = include_str!("../../../docs/layers/drop-block.md")]
    struct DropBlock;
    #[doc = include_str!("../../../docs/layers/drop-connect.md")]
    struct DropConnect;
    #[doc = include_str!("../../../docs/layers/drop-path.md")]
    struct DropPath;
    #[doc = include_str!("../../../docs/layers/dropout.md")]
    struct Dropout;
    #[doc = include_str!("../../../docs/layers/embedding-dropout.md")]
    struct EmbeddingDropout;
    #[doc = include_str!("../../../docs/layers/gaussian.md")]
    struct Gaussian;
    #[doc = include_str!("../../../docs/layers/graph.md")]
    struct Graph;
    #[doc = include_str!("../../../docs/layers/label-dropout.md")]
    struct LabelDropout;
    #[doc = include_str!("../../../docs/layers/neftune.md")]
    struct Neftune;
    #[doc = include_str!("../../../docs/layers/token-dropout.md")]
    struct TokenDropout;
    #[doc = include_str!("../../../docs/layers/zoneout.md")]
    struct Zoneout;
}
