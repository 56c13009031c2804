//! Draws of any mask, index, effect and type, on any slice and in any form, one element at a time against the
//! specification. Nothing may panic but what says so.
//!
//!     cargo install cargo-fuzz
//!     cargo +nightly fuzz run draw

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nn_dropout::{Affine, Draw, Effect, Element, Index, JaxKey, Magnitude, Mask, Probability, bf16, f16};

#[derive(Arbitrary, Debug)]
struct Case {
    mask: Family,
    p: f64,
    effect: u8,
    amount: f64,
    start: u64,
    axes: Vec<(Size, Stride)>,
    whole: Vec<u8>,
    block: Vec<(u8, u8)>,
    first: u32,
    count: u16,
    /// Enough for several threads and for writing past the caches.
    large: bool,
    columns: u8,
    misaligned: u8,
    kind: u8,
}

#[derive(Arbitrary, Debug)]
enum Family {
    Philox { seed: u64, layer: u32, step: u32 },
    Jax([u32; 2]),
    Bits(Vec<u8>, u64),
}

#[derive(Arbitrary, Debug)]
enum Size {
    Small(u8),
    Medium(u16),
    Any(u64),
}

#[derive(Arbitrary, Debug)]
enum Stride {
    Shared,
    Next,
    Small(u16),
    Any(u64),
}

fn one_by_one<T: Element>(draw: &Draw, element: u64, x: T) -> T {
    match draw.affine::<T>() {
        Affine::Divide(divisor) => if draw.keeps(element) { x / divisor } else { T::default() },
        _ => {
            let [scale, shift] = draw.scale_and_shift::<T>(element);
            x * scale + shift
        }
    }
}

fn check<T: Element + PartialEq>(case: &Case, draw: &Draw, number: impl Fn(i32) -> T) {
    let first = u64::from(case.first);
    let count = usize::from(case.count) * if case.large { 40 } else { 1 };
    let numbers = |step: i32| (0..count as i32).map(|i| number(i % 1000 * step % 509 - 250)).collect::<Vec<T>>();
    let (x, residual) = (numbers(7), numbers(11));
    let columns = usize::from(case.columns);
    let bias = (columns > 0 && count >= columns).then(|| &residual[..columns]);
    // Outputs begin anywhere in a cache line.
    let offset = usize::from(case.misaligned % 64);
    let mut memory = vec![number(77); offset + count + 1];
    let result = draw.on(&x).at(first).write(&mut memory[offset..offset + count]);
    if result.is_ok() && count > 0 {
        let noisy = |i: usize, x: T| one_by_one(draw, first + i as u64, x);
        // Any NaN equals any other.
        let same = |a: T, b: T| a == b || a != a && b != b;
        assert!((0..count).all(|i| same(memory[offset + i], noisy(i, x[i]))), "{draw:?}");
        draw.on(&x).at(first).add_to(&mut memory[offset..offset + count]).expect("as above");
        let twice = |i: usize| noisy(i, x[i]) + noisy(i, x[i]);
        assert!((0..count).all(|i| same(memory[offset + i], twice(i))), "{draw:?}");
        if let Some(bias) = bias {
            let fused = draw.on(&x).at(first).bias(bias).add(&residual, &mut memory[offset..offset + count]);
            let whole_rows = count % columns == 0 && first % columns as u64 == 0;
            assert_eq!(fused.is_ok(), whole_rows);
            let fused = |i: usize| residual[i] + noisy(i, x[i] + bias[i % columns]);
            assert!(!whole_rows || (0..count).all(|i| same(memory[offset + i], fused(i))), "{draw:?}");
        }
    }
    assert!(memory[..offset].iter().chain(&memory[offset + count..]).all(|&guard| guard == number(77)));
}

fuzz_target!(|case: Case| {
    let Ok(p) = Probability::new(case.p) else {
        return;
    };
    let mask = match &case.mask {
        Family::Philox { seed, layer, step } => Mask::philox(*seed, *layer, *step, p),
        Family::Jax(key) => Mask::jax(JaxKey::from_data(*key), p),
        Family::Bits(bits, count) => Mask::from_bits(bits.clone(), *count, p),
    };
    let size = |size: &Size| match size {
        Size::Small(size) => u64::from(*size),
        Size::Medium(size) => u64::from(*size),
        Size::Any(size) => *size,
    };
    let stride = |stride: &Stride| match stride {
        Stride::Shared => 0,
        Stride::Next => 1,
        Stride::Small(stride) => u64::from(*stride),
        Stride::Any(stride) => *stride,
    };
    let axes = case.axes.iter().take(5).map(|axis| (size(&axis.0), stride(&axis.1)));
    let index = Index::new(case.start, axes);
    let Ok(amount) = Magnitude::new(case.amount) else {
        return;
    };
    let effect = match case.effect % 10 {
        0 => Effect::Keep,
        1 => Effect::Drop,
        2 => Effect::Alpha,
        3 => Effect::AlphaGradient,
        4 => Effect::DropKey,
        5 => Effect::GaussianDropout,
        6 => Effect::GaussianNoise(amount),
        7 => Effect::UniformNoise(amount),
        8 => Effect::Identity,
        _ => Effect::Dropout,
    };
    let draw = Draw::new(mask, index, effect);
    let whole: Vec<usize> = case.whole.iter().take(4).map(|&size| usize::from(size)).collect();
    let (offset, shape): (Vec<usize>, Vec<usize>) =
        case.block.iter().take(4).map(|&(offset, size)| (usize::from(offset), usize::from(size))).unzip();
    let block = draw.block(&whole, &offset, &shape);
    for draw in [Some(draw), block.ok()].into_iter().flatten() {
        match case.kind % 4 {
            0 => check::<f32>(&case, &draw, |i| i as f32 / 37.0),
            1 => check::<f64>(&case, &draw, |i| f64::from(i) / 37.0),
            2 => check::<f16>(&case, &draw, |i| f16::from_f32(i as f32 / 64.0)),
            _ => check::<bf16>(&case, &draw, |i| bf16::from_f32(i as f32 / 64.0)),
        }
    }
});
