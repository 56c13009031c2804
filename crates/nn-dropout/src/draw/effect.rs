//! What a draw does to kept and dropped elements: as a name, and as numbers.

use crate::kernel::{Affine, Element};
use crate::spec::mask::Family;

/// What happens to kept and dropped elements, whatever their type and p. [`Draw::affine`](super::Draw::affine) has the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Effect {
    /// Kept elements are multiplied by `1 / (1 - p)`, dropped ones by 0. With one of [JAX's masks](crate::Mask::jax) it is
    /// what Equinox and Flax write: `where(kept, x / (1 - p), 0)`. XLA may multiply where this divides, so JAX's values are the
    /// same to within one unit in the last place.
    Dropout,
    /// Dropped elements become the limit of SELU's negative branch, and all are then scaled and shifted so that mean and
    /// variance stay what they were. At p = 1 all elements are zeroed, as in PyTorch.
    ///
    /// Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.
    Alpha,
    /// The scales of [`Alpha`](Self::Alpha) without its shifts.
    AlphaGradient,
}

/// The limit of SELU's negative branch, negated: its scale times its alpha, to the digits that PyTorch has.
const SELU_LIMIT: f64 = 1.758_099_340_847_376_6;

impl Effect {
    /// The effect on a gradient: the same scales, and no shifts.
    #[must_use]
    pub const fn gradient(self) -> Self {
        match self {
            Self::Alpha => Self::AlphaGradient,
            other => other,
        }
    }

    /// The effect in numbers, computed and rounded as PyTorch does it.
    pub(super) fn affine<T: Element>(self, mask: &Family) -> Affine<T> {
        let p = mask.p().get();
        let keep = 1.0 - p;
        let a = || 1.0 / ((SELU_LIMIT * SELU_LIMIT * p + 1.0) * keep).sqrt();
        let rounded = T::rounded;
        match self {
            Self::Dropout if matches!(mask, Family::Jax(_)) => Affine::Divide(T::narrow(keep)),
            // Nothing is kept, but the scale of kept elements has to be finite all the same.
            _ if keep == 0.0 => Affine::Scale(T::default()),
            Self::Dropout => Affine::Scale(T::narrow(rounded(1.0 / rounded(keep)))),
            Self::AlphaGradient => Affine::Scale(T::narrow(rounded(a()))),
            Self::Alpha => {
                let a = a();
                // PyTorch rounds every step.
                let limit = T::narrow(rounded(-SELU_LIMIT * a));
                let shift = T::narrow(rounded(SELU_LIMIT * a * p));
                Affine::ScaleAndShift(T::narrow(rounded(a)), [shift, limit + shift])
            }
        }
    }
}
