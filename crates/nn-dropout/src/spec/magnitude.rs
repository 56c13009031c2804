//! How strong noise is, checked once, as a type.

use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};

/// How strong noise is, such as its standard deviation: a finite number of at least 0.
///
/// ```
/// use nn_dropout::Magnitude;
///
/// assert_eq!(Magnitude::new(0.1)?.get(), 0.1);
/// assert_eq!(Magnitude::new(-1.0).unwrap_err().to_string(), "expected a finite number of at least 0, but got -1");
/// # Ok::<(), nn_dropout::MagnitudeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
pub struct Magnitude(f64);

impl Magnitude {
    /// No noise.
    pub const ZERO: Self = Self(0.0);

    /// Checks a number.
    ///
    /// # Errors
    ///
    /// If it is below 0, infinite or NaN.
    pub fn new(number: f64) -> Result<Self, MagnitudeError> {
        if number >= 0.0 && number.is_finite() {
            Ok(Self(number.abs())) // -0.0 is 0.0: equal values have equal bits
        } else {
            Err(MagnitudeError(number))
        }
    }

    /// This times a factor from 0 to 1.
    pub(crate) const fn scaled(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }

    /// The number itself.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Magnitude {}

impl Hash for Magnitude {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl TryFrom<f64> for Magnitude {
    type Error = MagnitudeError;

    fn try_from(number: f64) -> Result<Self, MagnitudeError> {
        Self::new(number)
    }
}

impl From<Magnitude> for f64 {
    fn from(magnitude: Magnitude) -> Self {
        magnitude.0
    }
}

impl fmt::Display for Magnitude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A number that is no [`Magnitude`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MagnitudeError(f64);

impl fmt::Display for MagnitudeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a finite number of at least 0, but got {}", self.0)
    }
}

impl Error for MagnitudeError {}
