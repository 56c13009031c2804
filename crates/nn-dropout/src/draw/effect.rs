//! What a draw does to elements: as a name, and as numbers.

use crate::kernel::{Affine, Element};
use crate::spec::magnitude::Magnitude;
use crate::spec::mask::Family;
use crate::spec::number::Distribution;

/// What happens to elements, whatever their type and p. [`Draw::affine`](super::Draw::affine) has the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Effect {
    /// Kept elements are multiplied by `1 / (1 - p)`, dropped ones by 0. With one of [JAX's masks](crate::Mask::jax) it is
    /// what Equinox and Flax write: `where(kept, x / (1 - p), 0)`. XLA may multiply where this divides, so JAX's values are the
    /// same to within one unit in the last place.
    Dropout,
    /// Kept elements stay as they are, dropped ones are multiplied by 0.
    Keep,
    /// Kept elements are multiplied by 0, dropped ones stay as they are: what [`Keep`](Self::Keep) leaves out.
    Drop,
    /// Dropped elements become the limit of SELU's negative branch, and all are then scaled and shifted so that mean and
    /// variance stay what they were. At p = 1 all elements are zeroed, as in PyTorch.
    ///
    /// Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.
    Alpha,
    /// The scales of [`Alpha`](Self::Alpha) without its shifts.
    AlphaGradient,
    /// Dropped elements become negative infinity, so that a softmax gives them no weight; kept ones stay as they are.
    DropKey,
    /// Elements are multiplied by `1 + sqrt(p / (1 - p)) * n`, where n is a normal number.
    GaussianDropout,
    /// A normal number with this standard deviation is added.
    GaussianNoise(Magnitude),
    /// A uniform number between minus and plus this is added.
    UniformNoise(Magnitude),
    /// Elements stay as they are.
    Identity,
}

/// The limit of SELU's negative branch, negated: its scale times its alpha, to the digits that PyTorch has.
const SELU_LIMIT: f64 = 1.758_099_340_847_376_6;

impl Effect {
    /// The effect on a gradient: the same scales, and no shifts.
    #[must_use]
    pub const fn gradient(self) -> Self {
        match self {
            Self::Alpha => Self::AlphaGradient,
            Self::DropKey => Self::Keep,
            Self::GaussianNoise(_) | Self::UniformNoise(_) => Self::Identity,
            other => other,
        }
    }

    /// Whether elements get numbers, not bits.
    pub const fn takes_numbers(self) -> bool {
        matches!(self, Self::GaussianDropout | Self::GaussianNoise(_) | Self::UniformNoise(_))
    }

    /// The effect in numbers, computed and rounded as PyTorch does it.
    #[inline]
    pub(super) fn affine<T: Element>(self, mask: &Family) -> Affine<T> {
        let p = mask.p().get();
        let keep = 1.0 - p;
        let a = || 1.0 / ((SELU_LIMIT * SELU_LIMIT * p + 1.0) * keep).sqrt();
        let rounded = T::rounded;
        let (zero, one) = (T::default(), T::narrow(1.0));
        match self {
            Self::Keep => Affine::Scale([one, zero]),
            Self::Drop => Affine::Scale([zero, one]),
            Self::Identity => Affine::Scale([one, one]),
            Self::DropKey => Affine::ScaleAndShift([one, one], [zero, T::narrow(f64::NEG_INFINITY)]),
            Self::GaussianNoise(deviation) => Affine::Add(Distribution::Normal, rounded(deviation.get())),
            Self::UniformNoise(bound) => Affine::Add(Distribution::Uniform, rounded(bound.get())),
            Self::Dropout if matches!(mask, Family::Jax(_)) => Affine::Divide(T::narrow(keep)),
            // Nothing is kept, but the scale of kept elements has to be finite all the same.
            _ if keep == 0.0 => Affine::Scale([zero, zero]),
            Self::Dropout => Affine::Scale([T::narrow(rounded(1.0 / rounded(keep))), zero]),
            Self::GaussianDropout => Affine::MultiplyBy(Distribution::Normal, rounded((p / keep).sqrt())),
            Self::AlphaGradient => Affine::Scale([T::narrow(rounded(a())), zero]),
            Self::Alpha => {
                let a = a();
                // PyTorch rounds every step.
                let limit = T::narrow(rounded(-SELU_LIMIT * a));
                let shift = T::narrow(rounded(SELU_LIMIT * a * p));
                Affine::ScaleAndShift([T::narrow(rounded(a)), zero], [shift, limit + shift])
            }
        }
    }
}
