//! How strong noise is, checked once, as a type.

use std::fmt;

use super::checked::checked;

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
}

checked!(Magnitude, MagnitudeError);

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
