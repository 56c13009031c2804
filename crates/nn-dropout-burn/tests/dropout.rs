//! The module against `burn::nn::Dropout`'s conventions, its values on each backend, and its gradients.

#![expect(deprecated, reason = "NdArray stands in for the backends that have no kernel of ours")]

use burn::module::Module;
use burn::tensor::{DType, Device, Distribution, GradientCheckpointingStrategy, Tensor, TensorData, Tolerance};
use nn_dropout::{Draw, Mask, Probability};
use nn_dropout_burn::{Dropout, DropoutConfig, Generator};
use proptest::prelude::*;

fn dropout(p: f64) -> Dropout {
    DropoutConfig::new(p).init_with(&Generator::philox(42))
}

/// What a layer made by `dropout(p)` multiplies by in call number `step`, as a tensor.
fn noise<const D: usize>(p: f64, step: u32, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mask = Mask::philox(42, 0, step, Probability::new(p).unwrap());
    let mut noise = vec![1f32; shape.iter().product()];
    Draw::dropout(mask).forward_inplace(&mut noise).unwrap();
    Tensor::from_data(TensorData::new(noise, shape), device)
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(0.5, 2.0), device)
}

fn assert_same<const D: usize>(left: Tensor<D>, right: Tensor<D>) {
    left.into_data().assert_eq(&right.into_data(), true);
}

/// Compiles with either import: the layer is a drop-in replacement.
macro_rules! model {
    ($name:ident, $($nn:ident)::+) => {
        mod $name {
            use burn::module::Module;
            use burn::nn::{Linear, LinearConfig};
            use burn::tensor::{Device, Tensor};
            use $($nn)::+::{Dropout, DropoutConfig};

            #[derive(Module, Debug)]
            pub struct Model {
                linear: Linear,
                dropout: Dropout,
            }

            impl Model {
                pub fn new(device: &Device) -> Self {
                    Self {
                        linear: LinearConfig::new(4, 4).init(device),
                        dropout: DropoutConfig::new(0.5).init(),
                    }
                }

                pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
                    self.dropout.forward(self.linear.forward(x))
                }
            }

            #[test]
            fn is_noisy_in_training_only() {
                let device = Device::flex().autodiff();
                let model = Model::new(&device);
                let x = Tensor::<2>::ones([100, 4], &device);
                assert_ne!(model.forward(x.clone()).to_data(), model.forward(x.clone()).to_data());

                let frozen = model.clone().freeze();
                assert_eq!(frozen.forward(x.clone()).to_data(), frozen.forward(x.clone()).to_data());

                let (valid, x) = (model.valid(), x.inner());
                assert_eq!(valid.forward(x.clone()).to_data(), valid.forward(x.clone()).to_data());
                assert_eq!(model.num_params(), 20);
            }

            #[test]
            fn prints_like_the_other() {
                assert_eq!(DropoutConfig::new(0.5).init().to_string(), "Dropout {prob: 0.5}");
                let frozen = DropoutConfig::new(0.5).init().freeze();
                assert_eq!(frozen.to_string(), "Dropout {prob: 0.5, training: disabled}");
            }
        }
    };
}
model!(with_burns_own, burn::nn);
model!(with_ours, nn_dropout_burn);

#[test]
fn draws_its_masks_from_the_generator() {
    let generator = Generator::philox(42);
    let device = Device::flex().autodiff();
    let (first, second) =
        (DropoutConfig::new(0.3).init_with(&generator), DropoutConfig::new(0.5).init_with(&generator));
    let x = random([5, 7, 3], &device);
    assert_same(first.forward(x.clone()), x.clone() * noise(0.3, 0, [5, 7, 3], &device));
    assert_same(first.forward(x.clone()), x.clone() * noise(0.3, 1, [5, 7, 3], &device));

    let expected = second.forward(x.clone()).into_data();
    generator.manual_seed(42);
    assert_eq!(second.forward(x).into_data(), expected);
    assert_eq!(first.prob(), 0.3);
}

#[test]
fn what_is_not_trained_is_returned_as_it_is_and_draws_nothing() {
    let generator = Generator::philox(42);
    let training = Device::flex().autodiff();
    let half = DropoutConfig::new(0.5).init_with(&generator);
    let zero = DropoutConfig::new(0.0).init_with(&generator);
    let state = generator.state();
    for (layer, device) in
        [(half.clone(), Device::flex()), (half.clone().freeze(), training.clone()), (zero, training.clone())]
    {
        let x = random([10, 10], &device);
        assert_same(layer.forward(x.clone()), x);
    }
    assert_eq!(generator.state(), state);
    half.forward(random([10, 10], &training));
    assert_ne!(generator.state(), state);
}

#[test]
fn an_input_that_is_still_held_is_not_changed() {
    let x = random([64, 64], &Device::flex().autodiff());
    let before = x.to_data();
    dropout(0.5).forward(x.clone());
    assert_eq!(x.to_data(), before);
}

#[test]
fn elements_have_their_row_major_index_in_any_layout() {
    let device = Device::flex().autodiff();
    let x = random([6, 8, 10], &device);
    assert_same(
        dropout(0.5).forward(x.clone().swap_dims(0, 2)),
        x.clone().swap_dims(0, 2) * noise(0.5, 0, [10, 8, 6], &device),
    );
    assert_same(dropout(0.5).forward(x.clone().flip([1])), x.clone().flip([1]) * noise(0.5, 0, [6, 8, 10], &device));
    let narrowed = x.clone().narrow(0, 2, 3);
    assert_same(dropout(0.5).forward(narrowed.clone()), narrowed * noise(0.5, 0, [3, 8, 10], &device));
    let owned = x.clone().mul_scalar(1.0).narrow(0, 2, 3);
    assert_same(dropout(0.5).forward(owned), x.narrow(0, 2, 3) * noise(0.5, 0, [3, 8, 10], &device));
    assert_same(dropout(0.5).forward(Tensor::<2>::zeros([0, 3], &device)), Tensor::zeros([0, 3], &device));
}

#[test]
fn serves_every_float_type() {
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let half = matches!(dtype, DType::F16 | DType::BF16);
            if half && device == Device::ndarray().autodiff() {
                continue; // not one of this backend's types
            }
            let x = random([9, 9], &device).cast(dtype);
            let y = dropout(0.1).forward(x.clone());
            assert_eq!(y.dtype(), dtype);
            // In the scale's own precision: f32 and narrower types share it.
            let expected = if dtype == DType::F64 {
                let noise = noise(0.1, 0, [9, 9], &device).cast(dtype);
                x * noise.equal_elem(0.0).bool_not().float().cast(dtype).mul_scalar(1.0 / (1.0 - 0.1))
            } else {
                x * noise(0.1, 0, [9, 9], &device).cast(dtype)
            };
            y.into_data().assert_approx_eq::<f64>(&expected.into_data(), Tolerance::absolute(0.0));
        }
    }
}

#[test]
fn other_backends_draw_the_same() {
    let x = random([50, 40], &Device::flex()).into_data();
    let [flex, other] = [Device::flex(), Device::ndarray()].map(|device| {
        let x = Tensor::<2>::from_data(x.clone(), &device.autodiff()).require_grad();
        let y = dropout(0.3).forward(x.clone());
        let grads = y.clone().powi_scalar(2).sum().backward();
        (y.into_data(), x.grad(&grads).unwrap().into_data())
    });
    flex.0.assert_eq(&other.0, true);
    flex.1.assert_approx_eq::<f32>(&other.1, Tolerance::default());
}

/// A few layers whose backward passes need their inputs or outputs, with dropout in between.
fn network<const D: usize>(x: Tensor<D>, mut dropout: impl FnMut(Tensor<D>) -> Tensor<D>) -> Tensor<1> {
    let h = dropout(x.exp());
    let h = dropout(h.clone() * h.tanh() + 0.5);
    let h = dropout(h.log().powi_scalar(2));
    let h = dropout(h);
    (h.clone() * h.cos()).sum()
}

fn check_gradient<const D: usize>(p: f64, shape: [usize; D], device: &Device, strategy: GradientCheckpointingStrategy) {
    let data = random(shape, &Device::flex()).into_data();
    let x =
        || Tensor::<D>::from_data(data.clone(), device).with_gradient_checkpointing_strategy(strategy).require_grad();

    let (ours, theirs) = (x(), x());
    let layer = dropout(p);
    let output = network(ours.clone(), |h| layer.forward(h));
    let mut step = 0;
    let expected = network(theirs.clone(), |h| {
        let noise = noise(p, step, shape, &h.device());
        step += 1;
        h * noise
    });
    output.clone().into_data().assert_approx_eq::<f32>(&expected.clone().into_data(), Tolerance::default());
    let gradient = ours.grad(&output.backward()).unwrap().into_data();
    let expected = theirs.grad(&expected.backward()).unwrap().into_data();
    gradient.assert_approx_eq::<f32>(&expected, Tolerance::default());
    assert!(gradient.iter::<f32>().any(|g| g != 0.0));
}

#[test]
fn gradients_are_those_of_a_product_with_the_mask() {
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        for strategy in [GradientCheckpointingStrategy::Disabled, GradientCheckpointingStrategy::Balanced] {
            for p in [0.1, 0.5] {
                check_gradient(p, [13, 17], &device, strategy);
                check_gradient(p, [3, 4, 5], &device, strategy);
            }
        }
    }
}

#[test]
fn an_untracked_input_is_noisy_too() {
    let device = Device::flex().autodiff();
    for strategy in [GradientCheckpointingStrategy::Disabled, GradientCheckpointingStrategy::Balanced] {
        let x = random([6, 6], &device).with_gradient_checkpointing_strategy(strategy);
        let weight = random([6, 6], &device).with_gradient_checkpointing_strategy(strategy).require_grad();
        let noisy = dropout(0.5).forward(x.clone());
        let grads = (noisy.clone() * weight.clone()).sum().backward();
        assert_same(weight.grad(&grads).unwrap(), noisy.inner());
    }
}

#[test]
#[should_panic(expected = "dropout probability has to be between 0 and 1, but got 1.5")]
fn refuses_what_is_no_probability() {
    DropoutConfig::new(1.5).init();
}

proptest! {
    #[test]
    fn any_shape_and_rate_gives_zero_or_the_scaled_input(p in 0.01..0.99, rows in 0..40usize, columns in 0..40usize) {
        let device = Device::flex().autodiff();
        let x = random([rows, columns], &device);
        assert_same(dropout(p).forward(x.clone()), x * noise(p, 0, [rows, columns], &device));
    }
}
