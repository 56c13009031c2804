//! The kinds of layers, as data: what each does, and to which elements together. A new kind is a variant and its lines here.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::draw::Effect;
use crate::spec::magnitude::Magnitude;

/// A kind of layer, named as in PyTorch and the projects around it.
///
/// ```
/// use nn_dropout::Kind;
///
/// assert_eq!("alpha-dropout".parse(), Ok(Kind::AlphaDropout));
/// assert_eq!(Kind::AlphaDropout.to_string(), "AlphaDropout");
/// assert_eq!(Kind::DropBlock2d.name(), "drop-block2d");
/// let error = "dropuot".parse::<Kind>().unwrap_err().to_string();
/// assert!(error.starts_with("a layer is one of dropout, dropout1d, ") && error.ends_with(r#", but got "dropuot""#));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum Kind {
    /// Drops elements: see [`Dropout`](crate::Dropout).
    Dropout,
    /// Drops channels of signals: see [`Dropout1d`](crate::Dropout1d).
    Dropout1d,
    /// Drops channels of images: see [`Dropout2d`](crate::Dropout2d).
    Dropout2d,
    /// Drops channels of volumes: see [`Dropout3d`](crate::Dropout3d).
    Dropout3d,
    /// Drops elements of self-normalising networks: see [`AlphaDropout`](crate::AlphaDropout).
    AlphaDropout,
    /// Drops channels of self-normalising networks: see [`FeatureAlphaDropout`](crate::FeatureAlphaDropout).
    FeatureAlphaDropout,
    /// Drops the paths of whole samples: see [`DropPath`](crate::DropPath).
    DropPath,
    /// Drops blocks of images: see [`DropBlock2d`](crate::DropBlock2d).
    DropBlock2d,
    /// Drops blocks of volumes: see [`DropBlock3d`](crate::DropBlock3d).
    DropBlock3d,
    /// Multiplies by normal noise: see [`GaussianDropout`](crate::GaussianDropout).
    GaussianDropout,
    /// Adds normal noise: see [`GaussianNoise`](crate::GaussianNoise).
    GaussianNoise,
    /// Adds uniform noise to embeddings: see [`NeftuneNoise`](crate::NeftuneNoise).
    NeftuneNoise,
    /// Drops weights: see [`DropConnect`](crate::DropConnect).
    DropConnect,
    /// Drops words of a vocabulary: see [`EmbeddingDropout`](crate::EmbeddingDropout).
    EmbeddingDropout,
    /// Drops tokens: see [`TokenDropout`](crate::TokenDropout).
    TokenDropout,
    /// Drops keys before the softmax: see [`DropKey`](crate::DropKey).
    DropKey,
    /// Drops a whole layer: see [`LayerDrop`](crate::LayerDrop).
    LayerDrop,
    /// Keeps elements of the previous state: see [`Zoneout`](crate::Zoneout).
    Zoneout,
    /// Replaces labels: see [`LabelDropout`](crate::LabelDropout).
    LabelDropout,
    /// Drops nodes of a graph: see [`NodeDropout`](crate::NodeDropout).
    NodeDropout,
    /// Drops edges of a graph: see [`EdgeDropout`](crate::EdgeDropout).
    EdgeDropout,
}

/// The elements that get a bit or a number together.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// Each alone.
    Element,
    /// Those of a channel of a sample, where the first axis is the samples.
    BatchedChannel,
    /// Those of a channel, in a tensor of one sample.
    Channel,
    /// Those of a row, the first axis.
    Row,
    /// Those of a vector along the last axis.
    Vector,
    /// All.
    Tensor,
    /// Those of a block around a centre.
    Block,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 21] = [
        Self::Dropout,
        Self::Dropout1d,
        Self::Dropout2d,
        Self::Dropout3d,
        Self::AlphaDropout,
        Self::FeatureAlphaDropout,
        Self::DropPath,
        Self::DropBlock2d,
        Self::DropBlock3d,
        Self::GaussianDropout,
        Self::GaussianNoise,
        Self::NeftuneNoise,
        Self::DropConnect,
        Self::EmbeddingDropout,
        Self::TokenDropout,
        Self::DropKey,
        Self::LayerDrop,
        Self::Zoneout,
        Self::LabelDropout,
        Self::NodeDropout,
        Self::EdgeDropout,
    ];

    /// Its name in settings and on command lines: `drop-path`.
    pub fn name(self) -> String {
        let separated = |(i, char): (usize, char)| {
            let hyphen = (i > 0 && char.is_ascii_uppercase()).then_some('-');
            hyphen.into_iter().chain([char.to_ascii_lowercase()])
        };
        self.to_string().chars().enumerate().flat_map(separated).collect()
    }

    /// Whether the layer takes one tensor and returns one of the same shape, and so can stand wherever dropout can. The others
    /// take a second tensor, a network's layer, labels or a graph.
    pub const fn takes_one_tensor(self) -> bool {
        !matches!(self, Self::LayerDrop | Self::Zoneout | Self::LabelDropout | Self::NodeDropout | Self::EdgeDropout)
    }

    /// The names of the kinds that [take one tensor](Self::takes_one_tensor), for a message: `dropout, dropout1d, ...`.
    pub fn names_of_one_tensor() -> String {
        let kinds = Self::ALL.into_iter().filter(|kind| kind.takes_one_tensor());
        kinds.map(Self::name).collect::<Vec<_>>().join(", ")
    }

    /// Whether its elements get numbers, and not bits that keep or drop them.
    pub const fn takes_numbers(self) -> bool {
        matches!(self, Self::GaussianDropout | Self::GaussianNoise | Self::NeftuneNoise)
    }

    /// What the number is that says how much noise there is: `p`, `stddev` or `alpha`.
    pub const fn amount(self) -> &'static str {
        match self {
            Self::GaussianNoise => "stddev",
            Self::NeftuneNoise => "alpha",
            _ => "p",
        }
    }

    /// What happens to elements of a tensor of this shape. `amount` is the standard deviation, or alpha.
    #[inline]
    pub(super) fn effect(self, amount: Magnitude, shape: &[usize]) -> Effect {
        match self {
            Self::Dropout
            | Self::Dropout1d
            | Self::Dropout2d
            | Self::Dropout3d
            | Self::DropPath
            | Self::DropBlock2d
            | Self::DropBlock3d
            | Self::DropConnect
            | Self::EmbeddingDropout
            | Self::TokenDropout => Effect::Dropout,
            Self::AlphaDropout | Self::FeatureAlphaDropout => Effect::Alpha,
            Self::GaussianDropout => Effect::GaussianDropout,
            Self::GaussianNoise => Effect::GaussianNoise(amount),
            Self::NeftuneNoise => {
                let last = shape.iter().rev().take(2).map(|&size| size as f64).product::<f64>();
                let bound = amount.get() / last.sqrt();
                Effect::UniformNoise(Magnitude::new(bound).unwrap_or(amount))
            }
            Self::DropKey => Effect::DropKey,
            Self::LayerDrop | Self::Zoneout | Self::LabelDropout | Self::NodeDropout | Self::EdgeDropout => {
                Effect::Keep
            }
        }
    }

    /// What gets a bit of its own in a tensor with this number of dimensions. Channels are as in PyTorch.
    #[inline]
    pub(super) const fn unit(self, dimensions: usize) -> Result<Unit, DrawError> {
        let (unit, at_least) = match (self, dimensions) {
            (Self::Dropout2d | Self::FeatureAlphaDropout, _) | (Self::Dropout1d, 3) | (Self::Dropout3d, 5) => {
                (Unit::BatchedChannel, 0)
            }
            (Self::Dropout1d, 2) | (Self::Dropout3d, _) => (Unit::Channel, 0),
            (Self::Dropout1d, _) => return Err(DrawError::Dropout1d(dimensions)),
            (Self::DropBlock2d, 4) | (Self::DropBlock3d, 5) => (Unit::Block, 0),
            (Self::DropBlock2d | Self::DropBlock3d, _) => return Err(DrawError::DropBlock(self, dimensions)),
            (Self::DropPath | Self::LabelDropout, _) => (Unit::Row, 1),
            (Self::EmbeddingDropout, _) => (Unit::Row, 2),
            (Self::TokenDropout, _) => (Unit::Vector, 2),
            (Self::NeftuneNoise, _) => (Unit::Element, 2),
            (Self::LayerDrop, _) => (Unit::Tensor, 0),
            _ => (Unit::Element, 0),
        };
        if dimensions < at_least {
            return Err(DrawError::Dimensions { kind: self, at_least, dimensions });
        }
        Ok(unit)
    }

    /// Whether the first axis is a batch, whose samples share bits in Monte Carlo mode.
    pub(super) const fn has_batch(self) -> bool {
        !matches!(
            self,
            Self::DropConnect | Self::EmbeddingDropout | Self::LayerDrop | Self::NodeDropout | Self::EdgeDropout
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Kind {
    type Err = KindError;

    /// Takes names in any case, with hyphens or underscores or without.
    fn from_str(name: &str) -> Result<Self, KindError> {
        let plain = name.replace(['-', '_'], "");
        let kind = Self::ALL.into_iter().find(|kind| kind.to_string().eq_ignore_ascii_case(&plain));
        kind.ok_or_else(|| KindError(name.to_owned()))
    }
}

impl TryFrom<String> for Kind {
    type Error = KindError;

    fn try_from(name: String) -> Result<Self, KindError> {
        name.parse()
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.name()
    }
}

/// A name that no [`Kind`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError(String);

impl fmt::Display for KindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a layer is one of {}, but got {:?}", Kind::ALL.map(Kind::name).join(", "), self.0)
    }
}

impl Error for KindError {}

/// Why a layer cannot draw noise for a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrawError {
    /// [`Dropout1d`](crate::Dropout1d) takes two or three dimensions, but got this many. The message is PyTorch's.
    Dropout1d(usize),
    /// A tensor of fewer than two dimensions has no channels. The message is PyTorch's.
    Features,
    /// A layer that drops blocks takes images or volumes, but got this many dimensions.
    DropBlock(Kind, usize),
    /// A tensor with too few dimensions for the layer.
    Dimensions {
        /// The kind of the layer.
        kind: Kind,
        /// How many it takes at least.
        at_least: usize,
        /// How many the tensor has.
        dimensions: usize,
    },
    /// An axis that is to be shared, and that the tensor does not have.
    Axis {
        /// The axis, counted from 0.
        axis: usize,
        /// The number of axes that the tensor has.
        dimensions: usize,
    },
    /// Noise that is made of numbers, and a generator of PyTorch's or JAX's masks.
    Numbers(Kind),
}

impl fmt::Display for DrawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropout1d(dimensions) => write!(
                f,
                "dropout1d: Expected 2D or 3D input, but received a {dimensions}D input. Note that dropout1d exists to provide \
                 channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension \
                 (i.e. 2D or 3D inputs)."
            ),
            Self::Features => f.write_str("Feature dropout requires at least 2 dimensions in the input"),
            Self::DropBlock(kind, dimensions) => {
                let (expected, axes) = match kind {
                    Kind::DropBlock3d => (5, "sample, channel, depth, height, width"),
                    _ => (4, "sample, channel, height, width"),
                };
                write!(f, "{} takes tensors of {expected} dimensions ({axes}), but got {dimensions}", kind.name())
            }
            Self::Dimensions { kind, at_least, dimensions } => {
                let plural = if *at_least == 1 { "" } else { "s" };
                write!(
                    f,
                    "{} takes tensors of at least {at_least} dimension{plural}, but got {dimensions}",
                    kind.name()
                )
            }
            Self::Axis { axis, dimensions } => {
                write!(
                    f,
                    "axis {axis} cannot be shared by a tensor of {dimensions} dimensions: axes are numbered from 0"
                )
            }
            Self::Numbers(kind) => {
                write!(f, "{} draws from a Philox generator, not from one of PyTorch's or JAX's masks", kind.name())
            }
        }
    }
}

impl Error for DrawError {}
