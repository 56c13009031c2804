//! Every operation against the same in Burn's own: values, and gradients by Burn's autodiff.

use burn::nn::{LayerNormConfig, LinearConfig};
use burn::tensor::activation;
use burn::tensor::{Bool, Device, Tensor, TensorData, Tolerance};
use rayon::ThreadPoolBuilder;

use super::{causal_softmax, gelu, layer_norm, linear, matmul};

/// Numbers from about -3 to 3.
fn numbers<const D: usize>(shape: [usize; D], seed: u32) -> Tensor<D> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 6.0 - 3.0
    };
    let numbers = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_data(TensorData::new::<f32, _>(numbers, shape), &Device::flex().autodiff()).require_grad()
}

/// The same tensor, column by column in memory.
fn turned<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let turned = x.transpose().into_data();
    Tensor::<D>::from_data(turned, &Device::flex().autodiff()).transpose()
}

fn assert_close<const D: usize>(ours: &Tensor<D>, burns: &Tensor<D>, what: &str) {
    let (ours, burns) = (ours.to_data(), burns.to_data());
    assert_eq!(ours.shape(), burns.shape(), "{what}");
    ours.assert_approx_eq::<f32>(&burns, Tolerance::rel_abs(1e-4, 1e-5));
}

/// Both results of `x`, and the gradients of `x` under the same gradient of the results.
fn compare<const D: usize, const E: usize>(
    x: &Tensor<D>,
    what: &str,
    ours: impl Fn(Tensor<D>) -> Tensor<E>,
    burns: impl Fn(Tensor<D>) -> Tensor<E>,
) {
    let [(ours, our_gradient), (burns, burns_gradient)] = [&ours as &dyn Fn(_) -> _, &burns].map(|function| {
        let x = x.clone().detach().require_grad();
        let y: Tensor<E> = function(x.clone());
        let weights = numbers(y.dims(), 7).detach();
        let gradients = (y.clone() * weights).sum().backward();
        (y, x.grad(&gradients).expect("it was required"))
    });
    assert_close(&ours, &burns, what);
    assert_close(&our_gradient, &burns_gradient, &format!("the gradient of {what}"));
}

#[test]
fn products_are_burns() {
    for (rows, inputs, outputs) in [(1, 1, 1), (3, 5, 2), (2, 5, 70), (33, 64, 17), (32, 100, 33), (300, 40, 130)] {
        let what = format!("{rows} x {inputs} x {outputs}");
        let (x, weight) = (numbers([rows, inputs], 1), numbers([inputs, outputs], 2));
        compare(&x, &what, |x| matmul(x, weight.clone()), |x| x.matmul(weight.clone()));
        compare(&weight, &what, |weight| matmul(x.clone(), weight), |weight| x.clone().matmul(weight));
        let ours = matmul(turned(x.clone()), turned(weight.clone()));
        assert_close(&ours, &x.matmul(weight), &format!("{what}, column by column"));
    }
}

#[test]
fn linear_layers_are_burns() {
    for bias in [false, true] {
        let layer = LinearConfig::new(12, 30).with_bias(bias).init(&Device::flex().autodiff());
        let x = numbers([2, 3, 12], 3);
        compare(&x, "a linear layer", |x| linear(&layer, x), |x| layer.forward(x));
        let gradient = |y: Tensor<3>| layer.weight.grad(&y.square().sum().backward()).expect("a weight is learned");
        assert_close(&gradient(linear(&layer, x.clone())), &gradient(layer.forward(x)), "the gradient of the weights");
    }
}

#[test]
fn gelu_is_burns() {
    for count in [0, 1, 15, 16, 17, 1000, 40_000] {
        let x = numbers([count], 4) * 2.0;
        compare(&x.detach().require_grad(), &format!("GELU of {count}"), gelu, activation::gelu);
    }
    let edges = [0.0, -0.0, 1e-30, -1e-30, 20.0, -20.0, f32::MAX, f32::MIN, f32::INFINITY];
    let ours = gelu(Tensor::<1>::from_data(edges, &Device::flex())).into_data();
    let right = [0.0, 0.0, 5e-31, -5e-31, 20.0, 0.0, f32::MAX, 0.0, f32::INFINITY];
    ours.assert_approx_eq::<f32>(&TensorData::from(right), Tolerance::rel_abs(1e-6, 1e-8));
    assert!(gelu(Tensor::<1>::from_data([f32::NAN], &Device::flex())).into_scalar::<f32>().is_nan());
}

#[test]
fn layer_norms_are_burns() {
    for (channels, bias) in [(1, true), (15, true), (16, true), (17, false), (128, false), (300, true)] {
        let layer = LayerNormConfig::new(channels).with_bias(bias).init(&Device::flex().autodiff());
        let x = numbers([3, 70, channels], 9) + 5.0;
        compare(
            &x.detach().require_grad(),
            &format!("{channels} channels"),
            |x| layer_norm(&layer, x),
            |x| layer.forward(x),
        );
    }
}

#[test]
fn weights_of_attention_are_burns() {
    for count in [1, 2, 15, 16, 17, 33, 64] {
        let scores = numbers([2, 3, count, count], 5) * 4.0;
        let burns = |scores: Tensor<4>| {
            let future = Tensor::<2, Bool>::tril_mask([count, count], 0, &scores.device()).unsqueeze();
            activation::softmax((scores * 0.3).mask_fill(future, f32::NEG_INFINITY), 3)
        };
        let what = format!("weights of {count} keys");
        compare(&scores.detach().require_grad(), &what, |scores| causal_softmax(scores, 0.3), burns);
    }
}

#[test]
fn a_nan_is_not_lost() {
    let mut scores = vec![0.5; 9];
    scores[4] = f32::NAN;
    let scores = Tensor::<4>::from_data(TensorData::new(scores, [1, 1, 3, 3]), &Device::flex());
    let weights: Vec<f32> = causal_softmax(scores, 1.0).into_data().iter().collect();
    assert_eq!(weights[0], 1.0);
    assert!(weights[3..5].iter().all(|weight| weight.is_nan()), "{weights:?}");
    assert!(weights[6..].iter().all(|weight| (weight - 1.0 / 3.0).abs() < 1e-6), "{weights:?}");
}

#[test]
fn threads_change_nothing() {
    let all = || {
        let x = numbers([300, 200], 6);
        let weight = numbers([200, 260], 7);
        let y = gelu(matmul(x.clone(), weight.clone()));
        let y = causal_softmax(y.slice([0..300, 0..200]).reshape([1, 6, 100, 100]), 0.1);
        let gradients = (y.clone() * numbers(y.dims(), 8)).sum().backward();
        [y.into_data(), x.grad(&gradients).unwrap().into_data(), weight.grad(&gradients).unwrap().into_data()]
    };
    let [one, three] =
        [1, 3].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all));
    assert_eq!(one, three);
}
