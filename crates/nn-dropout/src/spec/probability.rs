//! The dropout probability p, checked once, as a type.

use std::fmt;

use super::checked::checked;

/// The probability that an element is dropped: a number in `[0, 1]`, never NaN.
///
/// ```
/// use nn_dropout::Probability;
///
/// assert_eq!(Probability::new(0.1)?.get(), 0.1);
/// assert_eq!(
///     Probability::new(1.5).unwrap_err().to_string(),
///     "dropout probability has to be between 0 and 1, but got 1.5"
/// );
/// # Ok::<(), nn_dropout::ProbabilityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
pub struct Probability(f64);

impl Probability {
    /// Checks `p`.
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn new(p: f64) -> Result<Self, ProbabilityError> {
        if (0.0..=1.0).contains(&p) {
            Ok(Self(p.abs())) // -0.0 is 0.0: equal values have equal bits
        } else {
            Err(ProbabilityError(p))
        }
    }
}

checked!(Probability, ProbabilityError);

impl fmt::Display for Probability {
    /// As Python prints a float: `0.5`, `0.0`, `1e-05`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        match text.split_once("e-") {
            Some((digits, exponent)) => write!(f, "{digits}e-{exponent:0>2}"),
            None => f.write_str(&text),
        }
    }
}

/// A dropout probability outside `[0, 1]`, or NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbabilityError(f64);

impl fmt::Display for ProbabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropout probability has to be between 0 and 1, but got {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_exactly_zero_to_one() {
        for p in [0.0, -0.0, f64::MIN_POSITIVE, 0.5, 1.0] {
            assert_eq!(Probability::new(p).map(Probability::get), Ok(p));
        }
        let above_one = 1.0 + f64::EPSILON;
        for p in [-f64::MIN_POSITIVE, above_one, f64::INFINITY, f64::NAN] {
            let message = Probability::new(p).unwrap_err().to_string();
            assert_eq!(message, format!("dropout probability has to be between 0 and 1, but got {p}"));
        }
    }

    #[test]
    fn prints_as_python_does() {
        for (p, text) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (1e-5, "1e-05"),
            (2.5e-10, "2.5e-10"),
            (1e-300, "1e-300"),
        ] {
            assert_eq!(Probability::new(p).unwrap().to_string(), text);
        }
    }
}
