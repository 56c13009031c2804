//! The promise: the cases of `test_vectors/vectors.json`, which every crate and language has to give alike.

use std::fmt::Write;
use std::fs;

use nn_dropout::{Draw, Effect, Element, Generator, Index, JaxKey, Mask, Probability, bf16, f16};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Case {
    mask: Family,
    index: Axes,
    effect: Effect,
    sha256: Hashes,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Family {
    Philox { seed: String, layer: u32, step: u32, p: f64 },
    Jax { key: [u32; 2], p: f64 },
    Torch { seed: String, count: u64, p: f64 },
}

#[derive(Deserialize)]
struct Axes {
    start: String,
    axes: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Hashes {
    kept: String,
    f32: String,
    f64: String,
    f16: String,
    bf16: String,
}

impl Case {
    fn draw(&self) -> Draw {
        let number = |text: &String| text.parse::<u64>().unwrap();
        let probability = |p: f64| Probability::new(p).unwrap();
        let mask = match &self.mask {
            Family::Philox { seed, layer, step, p } => Mask::philox(number(seed), *layer, *step, probability(*p)),
            Family::Jax { key, p } => Mask::jax(JaxKey::from_data(*key), probability(*p)),
            Family::Torch { seed, count, p } => Generator::torch(number(seed)).next_mask(0, probability(*p), *count),
        };
        let axes = self.index.axes.iter().map(|(size, stride)| (number(size), number(stride)));
        Draw::new(mask, Index::new(number(&self.index.start), axes), self.effect)
    }
}

fn sha256(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn output<T: Element, const N: usize>(draw: &Draw, narrow: impl Fn(f64) -> T, bytes: impl Fn(T) -> [u8; N]) -> String {
    let x: Vec<T> = (0..draw.index().count()).map(|i| narrow((7 * i % 509) as f64 / 37.0 - 6.5)).collect();
    sha256(draw.forward_to_vec(&x).unwrap().into_iter().flat_map(bytes))
}

#[test]
fn every_case_gives_what_it_has_to_give() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test_vectors/vectors.json");
    let cases: Vec<Case> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 200);
    for (number, case) in cases.iter().enumerate() {
        let draw = case.draw();
        let kept: Vec<bool> = (0..draw.index().count()).map(|i| draw.keeps(i)).collect();
        let packed = kept.chunks(8).map(|kept| kept.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
        let what = format!("case {number}: {draw:?}");
        assert_eq!(sha256(packed), case.sha256.kept, "kept, {what}");
        assert_eq!(output(&draw, |x| x as f32, f32::to_le_bytes), case.sha256.f32, "f32, {what}");
        assert_eq!(output(&draw, |x| x, f64::to_le_bytes), case.sha256.f64, "f64, {what}");
        assert_eq!(output(&draw, f16::from_f64, f16::to_le_bytes), case.sha256.f16, "f16, {what}");
        assert_eq!(output(&draw, bf16::from_f64, bf16::to_le_bytes), case.sha256.bf16, "bf16, {what}");
    }
}
