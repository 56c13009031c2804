//! The values of keys in a file. What is expected of them is what is expected on the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nn_dropout::Probability;
use toml::de::{DeInteger, DeValue};

use super::numbers::{COUNT, PROBABILITY, SEED, probability, seed};

/// A type of values.
pub trait Value: Sized {
    /// An error says what was expected and what there is.
    fn of(value: &DeValue) -> Result<Self, String>;
}

/// The error that says so.
pub fn expected(what: &str, value: &DeValue) -> String {
    let shown = match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(is_so) => is_so.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    };
    format!("expected {what}, but got {shown}")
}

/// A number of any kind.
pub fn number(value: &DeValue) -> Option<f64> {
    match value {
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|whole| whole as f64)
        }
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

fn integer<T>(value: &DeValue, what: &str, read: fn(&DeInteger) -> Option<T>) -> Result<T, String> {
    value.as_integer().and_then(read).ok_or_else(|| expected(what, value))
}

impl Value for NonZeroUsize {
    fn of(value: &DeValue) -> Result<Self, String> {
        integer(value, COUNT, |number| usize::from_str_radix(number.as_str(), number.radix()).ok().and_then(Self::new))
    }
}

/// The number of an axis.
impl Value for usize {
    fn of(value: &DeValue) -> Result<Self, String> {
        integer(value, "a whole number of at least 0", |number| {
            Self::from_str_radix(number.as_str(), number.radix()).ok()
        })
    }
}

/// A seed.
impl Value for u64 {
    fn of(value: &DeValue) -> Result<Self, String> {
        integer(value, SEED, |number| match number.radix() {
            10 => seed(number.as_str()).ok(),
            radix => Self::from_str_radix(number.as_str(), radix).ok(),
        })
    }
}

impl Value for Probability {
    fn of(value: &DeValue) -> Result<Self, String> {
        let number = number(value).ok_or_else(|| expected(PROBABILITY, value))?;
        probability(&number.to_string())
    }
}

impl Value for bool {
    fn of(value: &DeValue) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| expected("true or false", value))
    }
}

impl Value for String {
    fn of(value: &DeValue) -> Result<Self, String> {
        value.as_str().map(Self::from).ok_or_else(|| expected("a text in quotes", value))
    }
}

impl Value for PathBuf {
    fn of(value: &DeValue) -> Result<Self, String> {
        let path = String::of(value)?;
        if path.chars().any(char::is_control) {
            let plain = |char: char| if char.is_control() { char.escape_default().to_string() } else { char.into() };
            let meant: String = path.chars().map(plain).collect();
            return Err(format!("in double quotes a backslash begins a special character; write '{meant}'"));
        }
        Ok(path.into())
    }
}

impl<T: Value> Value for Vec<T> {
    fn of(value: &DeValue) -> Result<Self, String> {
        let values = value.as_array().ok_or_else(|| expected("a list in brackets", value))?;
        values.iter().map(|value| T::of(value.get_ref())).collect()
    }
}
