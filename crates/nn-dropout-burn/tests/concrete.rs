//! Concrete dropout: its noise and its regularization are those of the paper's formulas, and p is learned.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};
use nn_dropout::{Mask, Probability};
use nn_dropout_burn::{ConcreteDropout, ConcreteDropoutConfig, Generator, Mode};

fn device() -> Device {
    Device::flex().autodiff()
}

fn module(p: f64) -> ConcreteDropout {
    ConcreteDropoutConfig::new().with_prob(p).init_with(&Generator::philox(42), &device())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

#[test]
fn the_noise_is_that_of_the_formula() {
    let (p, temperature) = (0.3_f64, 0.1);
    let module = module(p);
    for step in 0..2 {
        let x: Vec<f64> = (0..60).map(|i| f64::from(i) / 7.0 - 4.0).collect();
        let input = Tensor::<2>::from_data(TensorData::new(x.clone(), [5, 12]), (&device(), DType::F64));
        let y = values(module.forward(input));
        let mask = Mask::philox(42, 0, step, Probability::new(0.0).unwrap());
        for (i, (x, y)) in x.iter().zip(y).enumerate() {
            let u = f64::midpoint(1.0, mask.uniform(i as u64).unwrap().into());
            let logit = p.ln() - (1.0 - p).ln() + u.ln() - (1.0 - u).ln();
            let dropped = 1.0 / (1.0 + (-logit / temperature).exp());
            let expected = x * (1.0 - dropped) / (1.0 - p);
            assert!((y - expected).abs() < 1e-5, "{y} and {expected}"); // p is an f32
        }
    }
}

#[test]
fn about_a_share_p_is_dropped() {
    for p in [0.1, 0.5, 0.8] {
        let y = values(module(p).forward(Tensor::<1>::ones([10_000], &device())));
        let dropped = y.iter().filter(|y| **y < 0.5 / (1.0 - p)).count() as f64 / 10_000.0;
        assert!((dropped - p).abs() < 0.02, "{dropped} for {p}");
    }
}

#[test]
fn the_regularization_is_that_of_the_authors() {
    let p = 0.2_f64;
    let config = ConcreteDropoutConfig::new().with_prob(p).with_weight_regularizer(0.5).with_dropout_regularizer(0.25);
    let module = config.init_with(&Generator::philox(42), &device());
    let weight = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, -4.0], [0.0, 1.0]], &device());
    let expected = 0.5 * 31.0 / (1.0 - p) + 0.25 * 3.0 * (p * p.ln() + (1.0 - p) * (1.0 - p).ln());
    let regularization = values(module.regularization(weight, 3));
    assert!((regularization[0] - expected).abs() < 1e-5, "{} and {expected}", regularization[0]);
}

#[test]
fn acts_where_dropout_does() {
    let module = module(0.5);
    let (training, plain) = (Tensor::<2>::ones([4, 16], &device()), Tensor::<2>::ones([4, 16], &Device::flex()));
    let ones = vec![1.0; 64];
    assert_ne!(values(module.forward(training.clone())), ones);
    assert_eq!(values(module.forward(plain.clone())), ones);
    assert_eq!(values(module.valid().forward(plain.clone())), ones);
    assert_eq!(values(module.clone().freeze().forward(training.clone())), ones);
    assert_eq!(values(module.clone().with_mode(Mode::Eval).forward(training)), ones);

    let monte_carlo = values(module.valid().with_mode(Mode::MonteCarlo).forward(plain));
    assert!(monte_carlo.chunks(16).all(|sample| *sample == monte_carlo[..16]));
    assert_ne!(monte_carlo, ones);
}

#[test]
fn no_number_is_too_extreme_in_narrow_types() {
    for dtype in [DType::F16, DType::BF16] {
        let module = module(0.5);
        let x = Tensor::<1>::ones([100_000], &device()).cast(dtype).detach().require_grad();
        let y = module.forward(x.clone());
        assert!(values(y.clone()).iter().all(|y| (0.0..=2.01).contains(y)));
        let grads = y.mean().backward();
        assert!(values(x.grad(&grads).unwrap()).iter().all(|g| g.is_finite()));
        assert!(values(module.p_logit.val().grad(&grads).unwrap())[0].is_finite());
    }
}

#[test]
fn p_is_a_parameter_and_is_printed() {
    let module = module(0.25);
    assert_eq!(module.num_params(), 1);
    assert_eq!(module.to_string(), "ConcreteDropout {prob: 0.25, temperature: 0.1, params: 1}");
}

/// p after some steps of training a linear layer of 8 features to predict their sum, from a p of 0.1.
fn trained_p(dropout_regularizer: f64) -> f64 {
    let config = ConcreteDropoutConfig::new().with_prob(0.1).with_dropout_regularizer(dropout_regularizer);
    let mut module = config.init_with(&Generator::philox(42), &device());
    let mut weight = Tensor::<2>::ones([8, 1], &device()).require_grad();
    device().seed(1);
    for _ in 0..100 {
        let x = Tensor::<2>::random([64, 8], Distribution::Normal(0.0, 1.0), &device());
        let target = x.clone().sum_dim(1);
        let error = module.forward(x).matmul(weight.clone()) - target;
        let loss = error.powi_scalar(2).mean() + module.regularization(weight.clone(), 8);
        let grads = loss.backward();
        let moved = |tensor: &Tensor<1>| {
            let gradient = tensor.grad(&grads).unwrap();
            Tensor::from_inner(tensor.clone().inner() - gradient * 0.1).require_grad()
        };
        let logit = moved(&module.p_logit.val());
        let gradient = weight.grad(&grads).unwrap();
        weight = Tensor::from_inner(weight.inner() - gradient * 0.02).require_grad();
        module.p_logit = Param::from_tensor(logit);
    }
    values(module.prob())[0]
}

/// With the best weight for it, p costs a squared error of `8 p`. So the least loss is where `ln p - ln(1 - p)` is `-1 / regularizer`.
#[test]
fn p_becomes_what_the_loss_asks_for() {
    let harmful = trained_p(1e-5);
    assert!(harmful < 0.03, "{harmful}");
    for regularizer in [1.0_f64, 2.0] {
        let (p, expected) = (trained_p(regularizer), 1.0 / (1.0 + (1.0 / regularizer).exp()));
        assert!((p - expected).abs() < 0.04, "{p} and {expected}");
    }
}
