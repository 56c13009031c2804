//! Reads `vectors.json`, the cases that every crate and language has to give alike. `make_vectors.py` says what is in it.

use std::fmt::Write;

use half::{bf16, f16};
use nn_dropout::{Config, Draw, Effect, Element, Generator, Index, JaxKey, Layer, Mask, Mode, Probability};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A draw, and the hashes of what it has to give.
#[derive(Debug, Deserialize)]
pub struct Case {
    mask: Family,
    index: Axes,
    effect: Effect,
    /// The layer that draws this, for a tensor of this shape in this mode.
    config: Option<Config>,
    #[serde(default)]
    shape: Vec<usize>,
    mode: Option<Mode>,
    /// The hashes.
    pub sha256: Hashes,
}

/// SHA-256, in hexadecimal.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Hashes {
    /// The hash of the bits of all elements, eight to a byte. Empty if they get numbers.
    #[serde(default)]
    pub kept: String,
    /// The hash of the numbers of all elements, in f32. Empty if they get bits.
    #[serde(default)]
    pub numbers: String,
    /// The hash of the outputs in f32, little-endian.
    pub f32: String,
    /// The hash of the outputs in f64.
    pub f64: String,
    /// The hash of the outputs in f16.
    pub f16: String,
    /// The hash of the outputs in bf16.
    pub bf16: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Family {
    Philox { seed: String, layer: u32, step: u32, p: f64 },
    Jax { key: [u32; 2], p: f64 },
    Torch { seed: String, count: u64, p: f64 },
    Bits { hex: String, count: u64, p: f64 },
}

#[derive(Debug, Deserialize)]
struct Axes {
    start: String,
    axes: Vec<(String, String)>,
}

/// An element type of the cases.
pub trait Number: Copy {
    /// `number`, rounded once.
    fn narrow(number: f64) -> Self;

    /// Its bytes, little-endian.
    fn bytes(self) -> impl AsRef<[u8]>;

    /// Its hash in a case.
    fn hash(hashes: &Hashes) -> &str;
}

macro_rules! number {
    ($($type:ident, $narrow:expr;)*) => {$(
        impl Number for $type {
            fn narrow(number: f64) -> Self {
                $narrow(number)
            }

            fn bytes(self) -> impl AsRef<[u8]> {
                self.to_le_bytes()
            }

            fn hash(hashes: &Hashes) -> &str {
                &hashes.$type
            }
        }
    )*};
}
number! {
    f32, |number| number as Self;
    f64, |number| number;
    f16, Self::from_f64;
    bf16, Self::from_f64;
}

/// All cases.
///
/// # Panics
///
/// If the file is broken.
pub fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../vectors.json")).expect("cases");
    assert!(cases.len() > 350, "only {} cases", cases.len());
    cases
}

impl Case {
    /// The draw.
    ///
    /// # Panics
    ///
    /// If the case is broken.
    pub fn draw(&self) -> Draw {
        let number = |text: &String| text.parse::<u64>().expect("a number");
        let probability = |p: f64| Probability::new(p).expect("a probability");
        let mask = match &self.mask {
            Family::Philox { seed, layer, step, p } => Mask::philox(number(seed), *layer, *step, probability(*p)),
            Family::Jax { key, p } => Mask::jax(JaxKey::from_data(*key), probability(*p)),
            Family::Torch { seed, count, p } => Generator::torch(number(seed)).next_mask(0, probability(*p), *count),
            Family::Bits { hex, count, p } => Mask::from_bits(bytes(hex), *count, probability(*p)),
        };
        let axes = self.index.axes.iter().map(|(size, stride)| (number(size), number(stride)));
        Draw::new(mask, Index::new(number(&self.index.start), axes), self.effect)
    }

    /// The input of the case.
    pub fn input<T: Number>(&self) -> Vec<T> {
        (0..self.draw().index().count()).map(|i| T::narrow((7 * i % 509) as f64 / 37.0 - 6.5)).collect()
    }

    /// The layer that draws this, and the shape that it is for. `None` if the case is of no layer.
    ///
    /// # Panics
    ///
    /// If the case is broken.
    pub fn layer(&self) -> Option<(Layer, &[usize])> {
        let seed = match &self.mask {
            Family::Philox { seed, .. } => seed.parse().expect("a number"),
            _ => 7,
        };
        let mut layer = Layer::from_config(self.config.clone()?, &Generator::philox(seed));
        layer.set_mode(self.mode.expect("a layer has a mode"));
        Some((layer, &self.shape))
    }

    /// What the library gives, in all element types.
    ///
    /// # Panics
    ///
    /// If the case is broken.
    pub fn computed(&self) -> Hashes {
        Hashes {
            f64: self.output::<f64>(),
            f16: self.output::<f16>(),
            bf16: self.output::<bf16>(),
            ..self.computed_in_f32()
        }
    }

    /// What the library gives, in `f32` alone.
    ///
    /// # Panics
    ///
    /// If the case is broken.
    pub fn computed_in_f32(&self) -> Hashes {
        let draw = self.draw();
        let elements = 0..draw.index().count();
        let number = |element| {
            let bit = draw.index().bit(element);
            let number = match self.effect {
                Effect::UniformNoise(_) => draw.mask().uniform(bit),
                _ => draw.mask().normal(bit),
            };
            number.expect("the effect takes numbers")
        };
        let f32 = self.output::<f32>();
        if self.effect.takes_numbers() {
            let numbers = sha256(elements.flat_map(|element| number(element).to_le_bytes()));
            return Hashes { numbers, f32, ..Hashes::default() };
        }
        let kept: Vec<bool> = elements.map(|element| draw.keeps(element)).collect();
        let packed = kept.chunks(8).map(|kept| kept.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
        Hashes { kept: sha256(packed), f32, ..Hashes::default() }
    }

    fn output<T: Element + Number>(&self) -> String {
        hash(&self.draw().forward_to_vec(&self.input::<T>()).expect("the input of the case"))
    }

    /// Checks what became of the input.
    ///
    /// # Panics
    ///
    /// If a bit differs.
    pub fn assert_output<T: Number>(&self, output: &[T]) {
        assert_eq!(hash(output), T::hash(&self.sha256), "{}, {self:?}", std::any::type_name::<T>());
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal")).collect()
}

fn hash<T: Number>(output: &[T]) -> String {
    sha256(output.iter().flat_map(|number| number.bytes().as_ref().to_vec()))
}

fn sha256(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}
