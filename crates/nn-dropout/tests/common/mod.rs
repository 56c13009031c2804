//! Fixtures: a JSON object a line, numbers in hexadecimal.

#![allow(dead_code, reason = "no test needs all of it")]

use std::fmt::Debug;
use std::fs;

use nn_dropout::{Element, Generator, bf16, f16};
use serde::de::DeserializeOwned;

/// The lines of a kind in a file of `tests/fixtures`.
pub fn lines<T: DeserializeOwned>(file: &str, kind: &str) -> Vec<T> {
    let text = fs::read_to_string(format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_kind: Vec<T> =
        lines.filter(|line| line["kind"] == kind).map(|line| serde_json::from_value(line).unwrap()).collect();
    assert!(!of_kind.is_empty(), "no {kind} in {file}");
    of_kind
}

pub fn bytes(hexadecimal: &str) -> Vec<u8> {
    (0..hexadecimal.len()).step_by(2).map(|i| u8::from_str_radix(&hexadecimal[i..i + 2], 16).unwrap()).collect()
}

/// The number of words left plus one, and the position of the next, as PyTorch counts them.
pub fn position(generator: &Generator) -> [u64; 2] {
    let state = generator.torch_rng_state().unwrap();
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
    [number(&state[8..12]), number(&state[16..24])]
}

/// An element whose bits can be looked at.
pub trait Bits: Element + Debug {
    fn read(hexadecimal: &str) -> Vec<Self>;

    /// A number that grows with the element by one from each element to the next. `None` where it is NaN.
    fn ordered(self) -> Option<i64>;
}

macro_rules! bits {
    ($($element:ty, $int:ty;)*) => {$(
        impl Bits for $element {
            fn read(hexadecimal: &str) -> Vec<Self> {
                bytes(hexadecimal).as_chunks().0.iter().map(|&bytes| Self::from_le_bytes(bytes)).collect()
            }

            fn ordered(self) -> Option<i64> {
                let bits = self.to_bits() as $int;
                (!self.is_nan()).then(|| i64::from(if bits < 0 { <$int>::MIN - bits - 1 } else { bits }))
            }
        }
    )*};
}
bits! {
    f32, i32;
    f64, i64;
    f16, i16;
    bf16, i16;
}

/// The same bits, or at most `units` units in the last place apart. Any NaN equals any other.
pub fn assert_near<T: Bits>(got: &[T], expected: &[T], units: u64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let near = match (got.ordered(), expected.ordered()) {
            (Some(got), Some(expected)) => got.abs_diff(expected) <= units,
            (None, None) => true,
            _ => false,
        };
        assert!(near, "{what}: element {i} is {got:?} instead of {expected:?}");
    }
}
