//! The kinds of layers, as data: what each does, and to which elements together. A new kind is a variant and its lines here.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::draw::Effect;

/// A kind of layer, named as in `torch.nn`.
///
/// ```
/// use nn_dropout::Kind;
///
/// assert_eq!("alpha-dropout".parse(), Ok(Kind::AlphaDropout));
/// assert_eq!(Kind::AlphaDropout.to_string(), "AlphaDropout");
/// let error = "dropuot".parse::<Kind>().unwrap_err().to_string();
/// assert!(error.starts_with("a layer is one of Dropout, Dropout1d, ") && error.ends_with(r#", but got "dropuot""#));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
}

/// The elements that are dropped together.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// Each alone.
    Element,
    /// Those of a channel of a sample, where the first axis is the samples.
    BatchedChannel,
    /// Those of a channel, in a tensor of one sample.
    Channel,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Dropout,
        Self::Dropout1d,
        Self::Dropout2d,
        Self::Dropout3d,
        Self::AlphaDropout,
        Self::FeatureAlphaDropout,
    ];

    /// What happens to kept and dropped elements.
    pub const fn effect(self) -> Effect {
        match self {
            Self::Dropout | Self::Dropout1d | Self::Dropout2d | Self::Dropout3d => Effect::Dropout,
            Self::AlphaDropout | Self::FeatureAlphaDropout => Effect::Alpha,
        }
    }

    /// What is dropped of a tensor with this number of dimensions, as in PyTorch.
    #[inline]
    pub(super) const fn unit(self, dimensions: usize) -> Result<Unit, ShapeError> {
        match (self, dimensions) {
            (Self::Dropout | Self::AlphaDropout, _) => Ok(Unit::Element),
            (Self::Dropout2d | Self::FeatureAlphaDropout, _) | (Self::Dropout1d, 3) | (Self::Dropout3d, 5) => {
                Ok(Unit::BatchedChannel)
            }
            (Self::Dropout1d, 2) | (Self::Dropout3d, _) => Ok(Unit::Channel),
            (Self::Dropout1d, _) => Err(ShapeError::Dropout1d(dimensions)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Kind {
    type Err = KindError;

    /// Takes the names of `torch.nn`, in any case, with hyphens or underscores or without.
    fn from_str(name: &str) -> Result<Self, KindError> {
        let plain = name.replace(['-', '_'], "");
        let kind = Self::ALL.into_iter().find(|kind| kind.to_string().eq_ignore_ascii_case(&plain));
        kind.ok_or_else(|| KindError(name.to_owned()))
    }
}

/// A name that no [`Kind`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError(String);

impl fmt::Display for KindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Kind::ALL.map(|kind| kind.to_string());
        write!(f, "a layer is one of {}, but got {:?}", names.join(", "), self.0)
    }
}

impl Error for KindError {}

/// A tensor of a shape that the layer does not take. The messages are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// [`Dropout1d`](crate::Dropout1d) takes two or three dimensions, but got this many.
    Dropout1d(usize),
    /// A tensor of fewer than two dimensions has no channels.
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
