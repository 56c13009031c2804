//! Numbers that a user gives, checked in the same way on the command line and in a file.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use nn_dropout::Probability;
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::value::{Value, expected, number};

pub const COUNT: &str = "a whole number of at least 1";
pub const PROBABILITY: &str = "a number between 0 and 1";
pub const SEED: &str = "a whole number from -2^63 to 2^64 - 1";

pub fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("expected {COUNT}, but got {text}"))
}

/// A seed: 64 bits. A negative number is their two's complement, as in PyTorch and JAX.
pub fn seed(text: &str) -> Result<u64, String> {
    let number = text.parse().or_else(|_| text.parse().map(i64::cast_unsigned));
    number.map_err(|_| format!("expected {SEED}, but got {text}"))
}

/// A seed in settings. The numbers of TOML are signed, so the upper half of the seeds is negative there.
pub mod signed_seed {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(seed.cast_signed())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        i64::deserialize(deserializer).map(i64::cast_unsigned)
    }
}

/// An unsigned number, as wide as its type.
pub fn whole<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().and_then(|number: u64| T::try_from(number).ok());
    let bits = 8 * size_of::<T>();
    number.ok_or_else(|| format!("expected a whole number from 0 to 2^{bits} - 1, but got {text}"))
}

pub fn probability(text: &str) -> Result<Probability, String> {
    let number: f64 = text.parse().map_err(|_| format!("expected {PROBABILITY}, but got {text}"))?;
    Probability::new(number).map_err(|error| error.to_string())
}

/// A default, which has to be valid.
pub fn default_count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("defaults are valid")
}

/// A default, which has to be valid.
pub fn default_probability(p: f64) -> Probability {
    Probability::new(p).expect("defaults are valid")
}

/// A number with a condition.
macro_rules! checked_number {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// A default, which has to be valid.
            pub fn default_of(number: f64) -> Self {
                Self::try_from(number).expect("defaults are valid")
            }

            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = String;

            fn try_from(number: f64) -> Result<Self, String> {
                let holds: fn(f64) -> bool = $holds;
                if holds(number) { Ok(Self(number)) } else { Err(format!("expected {}, but got {number}", $expected)) }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let number: f64 = text.parse().map_err(|_| format!("expected {}, but got {text}", $expected))?;
                Self::try_from(number)
            }
        }

        impl Value for $name {
            fn of(value: &DeValue) -> Result<Self, String> {
                number(value).ok_or_else(|| expected($expected, value)).and_then(Self::try_from)
            }
        }

        impl From<$name> for f64 {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

checked_number!(
    /// The optimiser's step size at the start.
    LearningRate,
    "a positive number",
    |rate| rate > 0.0 && rate.is_finite()
);
checked_number!(
    /// A share of the rows.
    Share,
    "a number above 0 and below 1",
    |share| share > 0.0 && share < 1.0
);
checked_number!(
    /// A decay, or a limit where 0 means none.
    NotNegative,
    "a finite number of at least 0",
    |number| number >= 0.0 && number.is_finite()
);
checked_number!(
    /// The share of a moving average that remains after a step.
    Beta,
    "a number of at least 0 and below 1",
    |share| (0.0..1.0).contains(&share)
);

/// Two positive numbers and everything between them: `64..1024`.
#[derive(Clone)]
pub struct Range {
    pub low: f64,
    pub high: f64,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = || {
            let (low, high) = text.split_once("..")?;
            Some(Self { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? })
        };
        let holds = |range: &Self| 0.0 < range.low && range.low < range.high && range.high.is_finite();
        ends()
            .filter(holds)
            .ok_or_else(|| format!("expected two positive numbers, the lower first, as in 1..10, but got {text}"))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}
