//! The masks of PyTorch, bit for bit, against what PyTorch itself gave: see `fixtures/make_torch.py`.

mod common;

use common::{Bits, assert_near, bytes, lines, position};
use ndarray::{ArrayD, IxDyn};
use nn_dropout::{Draw, Dropout, Dropout1d, Generator, GeneratorState, Layer, bf16, f16};
use serde::Deserialize;

fn layer(name: &str, p: f64, training: bool, generator: &Generator) -> Layer {
    let mut layer = Layer::with_generator(name.parse().unwrap(), p, generator).unwrap();
    if !training {
        layer.eval();
    }
    layer
}

#[derive(Deserialize)]
struct LayerCase {
    layer: String,
    dtype: String,
    shape: Vec<usize>,
    axes: Option<Vec<usize>>,
    p: f64,
    seed: u64,
    training: bool,
    x: String,
    ys: Vec<String>,
    dy: String,
    dx: String,
    position: [u64; 2],
}

impl LayerCase {
    fn check<T: Bits>(&self) {
        let Self { layer: name, dtype, shape, axes, p, seed, .. } = self;
        let what = format!("{name}({p}) of {dtype} {shape:?} {axes:?} with seed {seed}");
        let (x, dy, dx) = (T::read(&self.x), T::read(&self.dy), T::read(&self.dx));
        let generator = Generator::torch(*seed);

        // In row-major memory, by the draw alone.
        if axes.is_none() {
            let layer = layer(name, *p, self.training, &generator);
            let mut last = None;
            for y in &self.ys {
                let mut data = x.clone();
                last = layer.draw(shape).unwrap();
                if let Some(draw) = &last {
                    draw.forward_inplace(&mut data).unwrap();
                }
                assert_near(&data, &T::read(y), 0, &what);
            }
            let mut gradient = dy;
            if let Some(draw) = last {
                draw.backward_inplace(&mut gradient).unwrap();
            }
            assert_near(&gradient, &dx, 0, &what);
            assert_eq!(position(&generator), self.position, "{what}");
        }

        // As an array, with its axes in any order in memory.
        generator.manual_seed(*seed);
        let row_major = ArrayD::from_shape_vec(IxDyn(shape), x).unwrap();
        let array = match axes {
            None => row_major,
            Some(axes) => {
                let back: Vec<usize> =
                    (0..axes.len()).map(|i| axes.iter().position(|&axis| axis == i).unwrap()).collect();
                let there = row_major.view().permuted_axes(IxDyn(axes));
                there.as_standard_layout().into_owned().permuted_axes(IxDyn(&back))
            }
        };
        let layer = layer(name, *p, self.training, &generator);
        for y in &self.ys {
            let output: ArrayD<T> = layer.forward(array.clone()).unwrap();
            assert_near(&output.iter().copied().collect::<Vec<_>>(), &T::read(y), 0, &what);
        }
        assert_eq!(position(&generator), self.position, "{what}");
    }
}

#[test]
fn layers_give_what_pytorch_gives() {
    for case in lines::<LayerCase>("torch.jsonl", "layer") {
        match case.dtype.as_str() {
            "f32" => case.check::<f32>(),
            "f64" => case.check::<f64>(),
            "f16" => case.check::<f16>(),
            "bf16" => case.check::<bf16>(),
            other => panic!("no type {other}"),
        }
    }
}

#[derive(Deserialize)]
struct ShapeCase {
    layer: String,
    shape: Vec<usize>,
    p: f64,
    training: bool,
    error: Option<String>,
    position: [u64; 2],
}

#[test]
fn shapes_are_taken_and_refused_as_pytorch_does() {
    for ShapeCase { layer: name, shape, p, training, error, position: after } in lines("torch.jsonl", "shape") {
        let generator = Generator::torch(0);
        let got = layer(&name, p, training, &generator).draw(&shape).err().map(|error| error.to_string());
        assert_eq!(got, error, "{name}({p}) of {shape:?}");
        assert_eq!(position(&generator), after, "{name}({p}) of {shape:?}");
    }
}

#[derive(Deserialize)]
struct BitsCase {
    p: f64,
    seed: u64,
    counts: Vec<usize>,
    bits: Vec<String>,
    position: [u64; 2],
}

#[test]
fn masks_match_pytorch_for_any_seed_and_rate() {
    for BitsCase { p, seed, counts, bits, position: after } in lines("torch.jsonl", "bits") {
        let generator = Generator::torch(seed);
        let dropout = Dropout::with_generator(p, &generator).unwrap();
        for (count, expected) in counts.into_iter().zip(bits) {
            let draw = dropout.draw(&[count]).unwrap().unwrap();
            assert_eq!(draw.mask().bits(0..count as u64), bytes(&expected), "p = {p}, seed {seed}, {count} elements");
            assert_eq!(draw.mask().count(), Some(count as u64));
        }
        assert_eq!(position(&generator), after);
    }
}

#[derive(Deserialize)]
struct StateCase {
    seed: u64,
    before: String,
    y: String,
    after: String,
}

#[test]
fn states_are_taken_over_from_pytorch_and_handed_back() {
    for StateCase { seed, before, y, after } in lines("torch.jsonl", "state") {
        let (before, y) = (bytes(&before), f32::read(&y));
        let generator = Generator::philox(0);
        generator.set_torch_rng_state(&before).unwrap();
        assert_eq!(generator.initial_seed(), seed);
        assert_eq!(generator.torch_rng_state().unwrap(), before);

        let dropout = Dropout::with_generator(0.4, &generator).unwrap();
        assert_eq!(dropout.forward(vec![1f32; y.len()]), y);
        assert_eq!(generator.torch_rng_state().unwrap(), bytes(&after));

        let json = serde_json::to_string(&generator.state()).unwrap();
        assert_eq!(serde_json::from_str::<GeneratorState>(&json).unwrap(), generator.state());
    }
}

#[test]
fn a_new_generator_has_the_state_of_a_new_pytorch() {
    let StateCase { seed, before, .. } = lines("torch.jsonl", "state").swap_remove(0);
    assert_eq!(Generator::torch(seed).torch_rng_state().unwrap(), bytes(&before));
    assert_eq!(Generator::philox(seed).torch_rng_state(), None);
    let generator = Generator::torch(7);
    generator.next_mask(0, Dropout::new(0.5).unwrap().p(), 10);
    generator.manual_seed(seed);
    assert_eq!(generator.torch_rng_state().unwrap(), bytes(&before));
}

#[test]
fn what_is_no_state_is_refused_and_changes_nothing() {
    let generator = Generator::torch(1);
    let state = generator.torch_rng_state().unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = state.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, message) in [
        (vec![], "a state of torch.get_rng_state() has 5056 bytes, but got 0"),
        (state[..5048].to_vec(), "a state of torch.get_rng_state() has 5056 bytes, but got 5048"),
        (changed(12, 0), "no state of torch.get_rng_state(): it is not seeded"),
        (changed(8, 0), "no state of torch.get_rng_state(): its position is not within the sequence"),
        (changed(17, 3), "no state of torch.get_rng_state(): its position is not within the sequence"),
        (changed(16, 5), "no state of torch.get_rng_state(): its position is not within the sequence"),
        (changed(28, 1), "no state of torch.get_rng_state(): a word has over 32 bits"),
    ] {
        assert_eq!(generator.set_torch_rng_state(&bytes).unwrap_err().to_string(), message);
        assert_eq!(generator.torch_rng_state().unwrap(), state);
    }
}

#[test]
fn a_draw_ends_where_its_mask_does() {
    let draw = Dropout::with_generator(0.5, &Generator::torch(1)).unwrap().draw(&[10]).unwrap().unwrap();
    let mut data = [1f32; 11];
    let error = draw.forward_inplace(&mut data).unwrap_err();
    assert_eq!(error.to_string(), "the draw has 10 elements left, but got 11");
    assert_eq!(data, [1.0; 11]);
    draw.forward_inplace(&mut data[..10]).unwrap();
    let mut part = [1f32; 4];
    draw.forward_inplace_at(6, &mut part).unwrap();
    assert_eq!(part, data[6..10]);
    assert!(draw.forward_inplace_at(7, &mut part).is_err());
    assert!(draw.forward_inplace_at(11, &mut [0f32; 0]).is_ok());

    let channels = Dropout1d::with_generator(0.5, &Generator::torch(1)).unwrap().draw(&[2, 3, 4]).unwrap().unwrap();
    assert!(channels.forward_inplace(&mut [1f32; 24]).is_ok());
    assert!(channels.forward_inplace(&mut [1f32; 25]).is_err());

    let json = serde_json::to_string(&draw).unwrap();
    assert_eq!(serde_json::from_str::<Draw>(&json).unwrap(), draw);
}

/// One bit per element, shared by the draw's clones, is all that a backward pass needs.
#[test]
fn keeps_one_bit_an_element() {
    let draw = Dropout::with_generator(0.5, &Generator::torch(1)).unwrap().draw(&[1000]).unwrap().unwrap();
    let mut packed = vec![0; 125];
    draw.mask().fill_bits(0, &mut packed);
    assert_eq!(draw.mask().bits(0..1000), packed);
    assert_eq!(draw.mask().to_string(), "Mask(count=1000, p=0.5)");
    assert!(format!("{draw:?}").len() < 200);
}
