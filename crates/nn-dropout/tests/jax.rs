//! JAX's keys and masks against what JAX itself gave: see `fixtures/make_jax.py`.

mod common;

use common::{Bits, assert_near, bytes, lines};
use nn_dropout::{Draw, Dropout, Generator, JaxKey, Mask, Probability, bf16, f16};
use serde::Deserialize;

#[derive(Deserialize)]
struct Keys {
    seed: u64,
    key: [u32; 2],
    split: [[u32; 2]; 5],
    fold_in: Vec<(u32, [u32; 2])>,
}

#[test]
fn keys_are_split_and_folded_as_jax_does() {
    for Keys { seed, key, split, fold_in } in lines("jax.jsonl", "keys") {
        let own = JaxKey::new(seed);
        assert_eq!(own.data(), key);
        assert_eq!(own.split().map(JaxKey::data), split);
        for (data, expected) in fold_in {
            assert_eq!(own.fold_in(data).data(), expected);
        }
        assert_eq!(JaxKey::from_data(key), own);
    }
}

#[derive(Deserialize)]
struct BitsCase {
    key: [u32; 2],
    p: f64,
    start: u64,
    count: u64,
    bits: String,
}

#[test]
fn masks_match_jax() {
    for BitsCase { key, p, start, count, bits } in lines("jax.jsonl", "bits") {
        let mask = Mask::jax(JaxKey::from_data(key), Probability::new(p).unwrap());
        assert_eq!(mask.bits(start..start + count), bytes(&bits), "{mask} from {start}");
        let tail = mask.bits(start + count / 2..start + count);
        let kept = |i: u64| tail[i as usize / 8] >> (i % 8) & 1 == 1;
        assert!((0..count - count / 2).all(|i| kept(i) == mask.keeps(start + count / 2 + i)));
    }
}

#[derive(Deserialize)]
struct LayerCase {
    dtype: String,
    p: f64,
    seed: u64,
    x: String,
    y: String,
    dy: String,
    dx: Option<String>,
}

impl LayerCase {
    fn check<T: Bits>(&self) {
        let Self { dtype, p, seed, .. } = self;
        let what = format!("Dropout({p}) of {dtype} with seed {seed}");
        let dropout = Dropout::with_generator(*p, &Generator::jax(*seed)).unwrap();
        let (x, dy) = (T::read(&self.x), T::read(&self.dy));
        let draw = dropout.draw(&[x.len()]).unwrap().unwrap();
        let (mut y, mut dx) = (x.clone(), dy.clone());
        draw.forward(&x, &mut y).unwrap();
        draw.backward(&dy, &mut dx).unwrap();
        assert_near(&y, &T::read(&self.y), 1, &what);
        let expected = self.dx.as_ref().map_or_else(|| vec![T::default(); x.len()], |dx| T::read(dx));
        assert_near(&dx, &expected, 1, &what);
    }
}

#[test]
fn values_and_gradients_match_equinox_to_one_unit_in_the_last_place() {
    for case in lines::<LayerCase>("jax.jsonl", "layer") {
        match case.dtype.as_str() {
            "float32" => case.check::<f32>(),
            "float64" => case.check::<f64>(),
            "float16" => case.check::<f16>(),
            "bfloat16" => case.check::<bf16>(),
            other => panic!("no type {other}"),
        }
    }
}

#[test]
fn calls_get_the_key_of_the_generator_and_then_folded_ones() {
    let p = Probability::new(0.5).unwrap();
    let generator = Generator::jax(7);
    let key = JaxKey::new(7);
    assert_eq!(generator.next_mask(0, p, 10), Mask::jax(key, p));
    assert_eq!(generator.next_mask(1, p, 10), Mask::jax(key.fold_in(1), p));
    let json = serde_json::to_string(&generator.state()).unwrap();
    assert_eq!(generator.next_mask(0, p, 10), Mask::jax(key.fold_in(2), p));
    generator.set_state(serde_json::from_str(&json).unwrap());
    assert_eq!(generator.next_mask(0, p, 10), Mask::jax(key.fold_in(2), p));
    generator.set_jax_key(key.fold_in(99));
    assert_eq!(generator.next_mask(0, p, 10), Mask::jax(key.fold_in(99), p));
    generator.manual_seed(8);
    assert_eq!(generator.initial_seed(), 8);
    assert_eq!(generator.next_mask(0, p, 10), Mask::jax(JaxKey::new(8), p));
}

#[test]
fn nothing_is_stored_and_parts_can_be_drawn_alone() {
    let draw = Draw::dropout(Mask::jax(JaxKey::new(3), Probability::new(0.4).unwrap()));
    let x: Vec<f32> = (0..5000).map(|i| i as f32 - 2000.0).collect();
    let (mut whole, mut part) = (x.clone(), x[1234..4321].to_vec());
    draw.forward_inplace(&mut whole).unwrap();
    draw.forward_inplace_at(1234, &mut part).unwrap();
    assert_eq!(part, whole[1234..4321]);
    assert_eq!(draw.mask().count(), None);
}
