//! The layers of `torch.nn`, a file each family. Each of them only decides what to draw.

mod alpha;
mod dropout;
mod feature;

use std::error::Error;
use std::fmt;

pub use alpha::{AlphaDropout, FeatureAlphaDropout};
pub use dropout::Dropout;
pub use feature::{Dropout1d, Dropout2d, Dropout3d};

use crate::{Draw, Generator, Mask, Probability, ProbabilityError};

/// Any layer, whichever it is.
///
/// ```
/// use nn_dropout::{AlphaDropout, Dropout2d, Layer};
///
/// let layers: [Box<dyn Layer>; 2] = [Box::new(Dropout2d::new(0.5)?), Box::new(AlphaDropout::new(0.5)?)];
/// assert!(layers.iter().all(|layer| layer.draw_for(&[2, 3, 4, 4]).is_ok_and(|draw| draw.is_some())));
/// # Ok::<(), nn_dropout::ProbabilityError>(())
/// ```
pub trait Layer {
    /// The noise of the next call, for a tensor of this shape, row-major. `None` where the layer is the identity.
    ///
    /// # Errors
    ///
    /// If the layer does not take tensors of this shape; element-wise ones take all.
    fn draw_for(&self, shape: &[usize]) -> Result<Option<Draw>, ShapeError>;
}

/// What every layer is made of.
#[derive(Clone, Debug)]
struct Settings {
    p: Probability,
    inplace: bool,
    training: bool,
    generator: Generator,
    layer: u32,
}

impl Settings {
    fn new(p: f64, generator: &Generator) -> Result<Self, ProbabilityError> {
        Ok(Self {
            p: Probability::new(p)?,
            inplace: false,
            training: true,
            generator: generator.clone(),
            layer: generator.next_layer(),
        })
    }

    /// Whether a call does nothing.
    fn is_identity(&self) -> bool {
        !self.training || self.p.get() == 0.0
    }

    fn drops_all(&self) -> bool {
        self.p.get() == 1.0
    }

    fn next_mask(&self, count: usize) -> Mask {
        self.generator.next_mask(self.layer, self.p, count as u64)
    }
}

/// A layer: its type, and what all layers can do.
macro_rules! layer {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A clone has the same number and the same generator: the two share one count of steps.
        #[derive(Clone, Debug)]
        pub struct $name {
            settings: Settings,
        }

        impl $name {
            /// A layer that drops with probability `p`, in training mode, drawing from the process's
            /// [default generator](default_generator).
            ///
            /// # Errors
            ///
            /// If `p` is below 0, above 1 or NaN.
            pub fn new(p: f64) -> Result<Self, ProbabilityError> {
                Self::with_generator(p, &default_generator())
            }

            /// The same, drawing from `generator`, which gives it its number.
            ///
            /// # Errors
            ///
            /// If `p` is below 0, above 1 or NaN.
            pub fn with_generator(p: f64, generator: &Generator) -> Result<Self, ProbabilityError> {
                Ok(Self { settings: Settings::new(p, generator)? })
            }

            /// Whether owned inputs are overwritten instead of a new buffer being made (initially not).
            #[must_use]
            pub fn with_inplace(mut self, inplace: bool) -> Self {
                self.settings.inplace = inplace;
                self
            }

            /// The probability that an element, or a channel, is dropped.
            pub fn p(&self) -> Probability {
                self.settings.p
            }

            /// Whether owned inputs are overwritten.
            pub fn inplace(&self) -> bool {
                self.settings.inplace
            }

            /// Switches to training mode.
            pub fn train(&mut self) -> &mut Self {
                self.settings.training = true;
                self
            }

            /// Switches to eval mode.
            pub fn eval(&mut self) -> &mut Self {
                self.settings.training = false;
                self
            }

            /// Whether the layer is in training mode.
            pub fn is_training(&self) -> bool {
                self.settings.training
            }
        }

        impl fmt::Display for $name {
            /// As PyTorch prints it.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let inplace = if self.settings.inplace { "True" } else { "False" };
                write!(f, concat!(stringify!($name), "(p={}, inplace={})"), self.settings.p, inplace)
            }
        }
    };
}

/// `forward` and `draw` of a layer that takes tensors of any shape: every element has its own bit, `$draw` makes the draw.
macro_rules! elementwise {
    ($name:ident, $draw:path) => {
        impl $name {
            /// Applies the layer. What `input` may be, and what comes back for it, is listed at [`Input`].
            pub fn forward<I: Input>(&self, input: I) -> I::Output {
                match self.draw(input.count()) {
                    Some(draw) => input.apply(&draw, self.settings.inplace),
                    None => input.identity(),
                }
            }

            /// The noise of the next call, for a tensor of `count` elements: for who applies it elsewhere or needs it again
            /// for the backward pass. `None` where the layer is the identity (eval mode, or p = 0).
            ///
            /// ```
            #[doc = concat!("use nn_dropout::", stringify!($name), ";")]
            ///
            #[doc = concat!("let dropout = ", stringify!($name), "::new(0.5)?;")]
            /// let draw = dropout.draw(4).expect("a new layer is in training mode");
            /// let (mut y, mut dx) = ([0f32; 4], [0f32; 4]);
            /// draw.forward(&[1.0, 2.0, 3.0, 4.0], &mut y)?;
            /// draw.backward(&[1.0, 1.0, 1.0, 1.0], &mut dx)?;
            /// # for i in 0..4 { assert_eq!(dx[i] != 0.0, draw.mask().keeps(i as u64)); }
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn draw(&self, count: usize) -> Option<Draw> {
                (!self.settings.is_identity()).then(|| $draw(self.settings.next_mask(count)))
            }
        }

        impl $crate::Layer for $name {
            fn draw_for(&self, shape: &[usize]) -> Result<Option<$crate::Draw>, $crate::ShapeError> {
                Ok(self.draw(shape.iter().product()))
            }
        }
    };
}

/// `forward` and `draw` of a layer that drops channels: `$channels` finds them in a shape, `$draw` makes the draw.
macro_rules! featurewise {
    ($name:ident, $channels:path, $draw:path) => {
        impl $name {
            /// Applies the layer. What `input` may be, and what comes back for it, is listed at [`Input`].
            ///
            /// # Errors
            ///
            /// If the layer does not take tensors of this shape.
            pub fn forward<I: Input>(&self, input: I) -> Result<I::Output, ShapeError> {
                Ok(match self.draw(&input.dimensions())? {
                    Some(draw) => input.apply(&draw, self.settings.inplace),
                    None => input.identity(),
                })
            }

            /// The noise of the next call, for a tensor of this shape, row-major: for who applies it elsewhere or needs it
            /// again for the backward pass. `None` where the layer is the identity (eval mode, p = 0, or no elements).
            ///
            /// # Errors
            ///
            /// If the layer does not take tensors of this shape.
            pub fn draw(&self, shape: &[usize]) -> Result<Option<Draw>, ShapeError> {
                let channels = $channels(shape)?;
                if self.settings.is_identity() || shape.contains(&0) {
                    return Ok(None);
                }
                let channels = channels.or_else(|| self.settings.drops_all().then(|| Channels::one(shape)));
                let Channels { count, size } = channels.ok_or(ShapeError::Features)?;
                Ok(Some($draw(self.settings.next_mask(count)).with_shared_bits(size as u64)))
            }
        }

        impl $crate::Layer for $name {
            fn draw_for(&self, shape: &[usize]) -> Result<Option<$crate::Draw>, $crate::ShapeError> {
                self.draw(shape)
            }
        }
    };
}

use {elementwise, featurewise, layer};

/// The channels of a tensor: how many there are, those of all samples together, and how many elements each has.
struct Channels {
    count: usize,
    size: usize,
}

impl Channels {
    /// Of a tensor of shape (sample, channel, ...). `None` if it has fewer dimensions.
    fn batched(shape: &[usize]) -> Option<Self> {
        let (of_samples, of_channel) = shape.split_at_checked(2)?;
        Some(Self { count: of_samples.iter().product(), size: of_channel.iter().product() })
    }

    /// All of the tensor, for whom channels are no matter.
    fn one(shape: &[usize]) -> Self {
        Self { count: 1, size: shape.iter().product() }
    }

    /// Of one sample: a tensor of shape (channel, ...). `None` if it has fewer dimensions.
    fn unbatched(shape: &[usize]) -> Option<Self> {
        let (&count, of_channel) = shape.split_first()?;
        Some(Self { count, size: of_channel.iter().product() })
    }
}

/// A tensor of a shape that the layer does not take. The messages are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// [`Dropout1d`] takes two or three dimensions, and got so many.
    Dropout1d(usize),
    /// Where there are no two dimensions there are no channels.
    Features,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropout1d(dimensions) => write!(
                f,
                "dropout1d: Expected 2D or 3D input, but received a {dimensions}D input. Note that dropout1d exists to provide \
                 channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension \
                 (i.e. 2D or 3D inputs)."
            ),
            Self::Features => f.write_str("Feature dropout requires at least 2 dimensions in the input"),
        }
    }
}

impl Error for ShapeError {}
