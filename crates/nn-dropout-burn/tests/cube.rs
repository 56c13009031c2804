//! The kernel for GPUs, on every device that there is: it does what the library does on the CPU.
//!
//! Where there is no device the tests are skipped, unless `NN_DROPOUT_GPU` is `required`.

#![cfg(feature = "cube")]

mod devices;

use burn::backend::ops::FloatTensorOps;
use burn::module::Module;
use burn::tensor::{DType, Device, Element as BurnElement, Tensor, TensorData};
use devices::devices;
use half::{bf16, f16};
use nn_dropout::{Config, Draw, Effect, Element, Index, JaxKey, Kind, Magnitude, Mask, Probability};
use nn_dropout_burn::{DropoutBackend, DropoutConfig, DropoutLayer, Generator, Mode, apply};
use nn_dropout_test_vectors::{Case, Number, cases};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

fn tensor<T: BurnElement, const D: usize>(numbers: Vec<T>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers, shape), (device, T::dtype()))
}

fn numbers<T: Number>(count: usize) -> Vec<T> {
    (0..count).map(|i| T::narrow((7 * i % 509) as f64 / 37.0 - 6.5)).collect()
}

/// How far from each other the same numbers may be: not at all where every operation is one that all devices round alike. They
/// may divide, and round to narrow types, as they like.
fn tolerance(draw: &Draw, dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 1e-3,
        DType::BF16 => 8e-3,
        _ if draw.mask().jax_key().is_some() && draw.effect() == Effect::Dropout => 3e-7,
        _ => 0.0,
    }
}

fn assert_same<T: Element>(got: &[T], expected: &[T], tolerance: f64, of: &str) {
    assert_eq!(got.len(), expected.len());
    for (i, (got, expected)) in got.iter().zip(expected).map(|(a, b)| (a.widen(), b.widen())).enumerate() {
        let same = got == expected && got.is_sign_negative() == expected.is_sign_negative()
            || got.is_nan() && expected.is_nan()
            || tolerance > 0.0
                && (got - expected).abs() <= tolerance * expected.abs()
                && (got == 0.0) == (expected == 0.0);
        assert!(same, "{of}, element {i}: {got} instead of {expected}");
    }
}

fn check_case<T: Number + BurnElement + Element>(case: &Case, device: &Device) {
    if !device.supports_dtype(T::dtype()) {
        return;
    }
    let (draw, input) = (case.draw(), case.input::<T>());
    let count = input.len();
    let output = apply(tensor(input.clone(), [count], device), draw.clone()).into_data().try_to_vec::<T>().unwrap();
    match tolerance(&draw, T::dtype()) {
        0.0 => case.assert_output(&output),
        tolerance => assert_same(&output, &draw.forward_to_vec(&input).unwrap(), tolerance, &format!("{case:?}")),
    }
}

#[test]
fn every_case_gives_what_it_has_to_give() {
    for device in devices() {
        let types =
            [DType::F32, DType::F64, DType::F16, DType::BF16].map(|dtype| (dtype, device.supports_dtype(dtype)));
        println!("{:?}: {types:?}", device.identity());
        for case in cases() {
            check_case::<f32>(&case, &device);
            check_case::<f64>(&case, &device);
            check_case::<f16>(&case, &device);
            check_case::<bf16>(&case, &device);
        }
    }
}

fn draws() -> impl Strategy<Value = Draw> {
    let p = || (0.0..=1.0).prop_map(|p| Probability::new(p).unwrap());
    let philox = (any::<u64>(), any::<u32>(), any::<u32>(), p()).prop_map(|(s, l, n, p)| Mask::philox(s, l, n, p));
    let jax = (any::<[u32; 2]>(), p()).prop_map(|(key, p)| Mask::jax(JaxKey::from_data(key), p));
    let held = (prop::collection::vec(any::<u8>(), 0..200), p())
        .prop_map(|(bits, p)| Mask::from_bits(bits.clone(), 8 * bits.len() as u64, p));
    let magnitude = || (0.0..3.0).prop_map(|number| Magnitude::new(number).unwrap());
    let effect = prop_oneof![
        4 => Just(Effect::Dropout),
        1 => Just(Effect::Keep),
        1 => Just(Effect::Drop),
        2 => Just(Effect::Alpha),
        1 => Just(Effect::AlphaGradient),
        1 => Just(Effect::DropKey),
        1 => Just(Effect::GaussianDropout),
        1 => magnitude().prop_map(Effect::GaussianNoise),
        1 => magnitude().prop_map(Effect::UniformNoise),
    ];
    // Places near each other, far from each other, downwards, and across 2^32 and 2^64.
    let stride = prop_oneof![Just(0), Just(1), 0..40_u64, Just(8), Just(u64::MAX), any::<u64>()];
    let start = prop_oneof![Just(0), 0..1000_u64, Just((1 << 32) - 20), Just(u64::MAX - 30), any::<u64>()];
    let axes = prop::collection::vec((1..12_u64, stride), 0..4);
    let index = prop_oneof![
        (start.clone(), 1..300_u64).prop_map(|(start, size)| Index::new(start, [(size, 1)])),
        (start, axes).prop_map(|(start, axes)| Index::new(start, axes)),
    ];
    let mask = prop_oneof![4 => philox, 1 => jax, 1 => held];
    (mask, index, effect).prop_map(|(mask, index, effect)| Draw::new(mask, index, effect))
}

#[test]
fn any_draw_does_what_it_does_on_the_cpu() {
    for device in devices() {
        let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
        TestRunner::new(config)
            .run(&draws(), |draw| {
                let count = draw.index().count() as usize;
                let x = numbers::<f32>(count);
                let Ok(expected) = draw.forward_to_vec(&x) else { return Ok(()) };
                let got = apply(tensor(x, [count], &device), draw.clone()).into_data().try_to_vec::<f32>().unwrap();
                assert_same(&got, &expected, tolerance(&draw, DType::F32), &format!("{draw:?}"));
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn infinities_and_zeros_are_those_of_the_cpu() {
    let x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0, -0.0, 1.0, -1.0, f32::MAX].repeat(16);
    for device in devices() {
        for effect in [Effect::Dropout, Effect::Alpha, Effect::DropKey, Effect::Drop, Effect::GaussianDropout] {
            let mask = Mask::philox(42, 0, 0, Probability::new(0.5).unwrap());
            let draw = Draw::new(mask, Index::endless(), effect);
            let got =
                apply(tensor(x.clone(), [x.len()], &device), draw.clone()).into_data().try_to_vec::<f32>().unwrap();
            assert_same(&got, &draw.forward_to_vec(&x).unwrap(), 0.0, &format!("{effect:?}"));
        }
    }
}

#[test]
fn elements_have_their_row_major_index_in_any_layout() {
    for device in devices() {
        let draw = |shape: [usize; 3]| {
            let mask = Mask::philox(1, 2, 3, Probability::new(0.4).unwrap());
            Draw::dropout(mask).with_index(Index::of(&shape))
        };
        let x = || tensor(numbers::<f32>(6 * 8 * 10), [6, 8, 10], &device);
        for (name, view) in [
            ("as it is", x()),
            ("transposed", x().swap_dims(0, 2)),
            ("permuted", x().permute([1, 2, 0])),
            ("narrowed", x().narrow(0, 2, 3)),
            ("narrowed inside", x().narrow(2, 1, 7)),
            ("flipped", x().flip([1])),
            ("expanded", x().narrow(1, 0, 1).expand([6, 5, 10])),
            ("with steps", x().slice([0..6, 0..8, 0..4])),
        ] {
            let draw = draw(view.dims());
            let before = view.to_data().try_to_vec::<f32>().unwrap();
            let expected = draw.forward_to_vec(&before).unwrap();
            // Somebody else holds it; then nobody does.
            let held = apply(view.clone(), draw.clone()).into_data().try_to_vec::<f32>().unwrap();
            assert_same(&held, &expected, 0.0, name);
            assert_same(&view.to_data().try_to_vec::<f32>().unwrap(), &before, 0.0, name);
            let owned = apply(view, draw).into_data().try_to_vec::<f32>().unwrap();
            assert_same(&owned, &expected, 0.0, name);
        }
        let none =
            apply(tensor(Vec::<f32>::new(), [0, 3], &device), Draw::dropout(Mask::philox(0, 0, 0, Probability::ZERO)));
        assert_eq!(none.dims(), [0, 3]);
    }
}

#[test]
fn every_length_around_a_unit_is_right() {
    for device in devices() {
        for count in (1..40).chain([255, 256, 257, 1000, 4096, 65_537]) {
            for start in [0, 1, 4, 7, 8, (1 << 35) - 3] {
                let mask = Mask::philox(5, 6, 7, Probability::new(0.25).unwrap());
                let draw = Draw::dropout(mask).with_index(Index::new(start, [(count as u64, 1)]));
                let x = numbers::<f32>(count);
                let got =
                    apply(tensor(x.clone(), [count], &device), draw.clone()).into_data().try_to_vec::<f32>().unwrap();
                assert_same(&got, &draw.forward_to_vec(&x).unwrap(), 0.0, &format!("{count} elements from {start} on"));
            }
        }
    }
}

#[test]
#[should_panic(expected = "the draw has 3 elements left, but got 4")]
fn a_draw_for_fewer_elements_is_refused() {
    let devices = devices();
    let Some(device) = devices.first() else { panic!("the draw has 3 elements left, but got 4") };
    let draw = Draw::dropout(Mask::philox(0, 0, 0, Probability::new(0.5).unwrap())).with_index(Index::of(&[3]));
    apply(tensor(vec![1f32; 4], [4], device), draw);
}

#[test]
fn every_layer_draws_and_goes_back_as_on_the_cpu() {
    for device in devices() {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor() && *kind != Kind::DropKey) {
            for mode in [Mode::Train, Mode::MonteCarlo] {
                let run = |device: &Device| {
                    let config = Config::new(kind, 0.3).unwrap();
                    let layer = DropoutLayer::from_config(config, &Generator::philox(42)).with_mode(mode);
                    let x =
                        tensor(numbers::<f32>(5 * 4 * 6 * 6), [5, 4, 6, 6], &device.clone().autodiff()).require_grad();
                    let y = match kind {
                        Kind::Dropout1d => layer.forward(x.clone().reshape([5, 4, 36])).reshape([5, 4, 6, 6]),
                        Kind::DropBlock3d => layer.forward(x.clone().reshape([5, 4, 6, 3, 2])).reshape([5, 4, 6, 6]),
                        _ => layer.forward(x.clone()),
                    };
                    // What a sum is on a device is its own affair.
                    let gradients = y.backward();
                    [y.into_data(), x.grad(&gradients).unwrap().into_data()]
                        .map(|data| data.try_to_vec::<f32>().unwrap())
                };
                let ([y, dx], [expected_y, expected_dx]) = (run(&device), run(&Device::flex()));
                assert_same(&y, &expected_y, 0.0, &format!("{kind}, {mode:?}"));
                assert_same(&dx, &expected_dx, 0.0, &format!("{kind}, {mode:?}"));
            }
        }
    }
}

#[test]
fn modules_move_between_devices() {
    for device in devices() {
        let generator = Generator::philox(42);
        let dropout = DropoutConfig::new(0.5).init_with(&generator);
        let moved = dropout.clone().to_device(&device.clone().autodiff());
        let x = |device: &Device| tensor(vec![1f32; 100], [100], device);
        let first = dropout.forward(x(&Device::flex().autodiff())).into_data();
        // A clone shares the count of steps, wherever it is.
        let second = moved.forward(x(&device.clone().autodiff())).into_data();
        assert_ne!(first, second);
        generator.manual_seed(42);
        moved.forward(x(&device.clone().autodiff()));
        assert_eq!(dropout.forward(x(&Device::flex().autodiff())).into_data(), second);

        let eval = x(&device);
        assert_eq!(moved.valid().forward(eval.clone()).into_data(), eval.into_data());
    }
}

/// The same without fusion, which Burn's devices have.
#[test]
fn it_works_without_fusion() {
    type Plain = burn_cubecl::CubeBackend;
    for device in devices() {
        let burn::backend::DispatchDevice::Cube(device) = device.as_dispatch().clone() else { unreachable!() };
        let draw = Draw::dropout(Mask::philox(1, 2, 3, Probability::new(0.4).unwrap()));
        let x = numbers::<f32>(1000);
        let data = TensorData::new(x.clone(), [1000]);
        let y = Plain::apply_draw(Plain::float_from_data(data, &device), draw.clone());
        let y = burn_cubecl::ops::into_data_sync(y).try_to_vec::<f32>().unwrap();
        assert_same(&y, &draw.forward_to_vec(&x).unwrap(), 0.0, "without fusion");
    }
}
