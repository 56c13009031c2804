//! Draws: values, parts, gradients, for every element type.

use std::fmt::Debug;

use nn_dropout::{Draw, Element, Mask, Probability, bf16, f16};
use proptest::prelude::*;

fn draw(seed: u64, p: f64) -> Draw {
    Draw::dropout(Mask::new(seed, 1, 2, Probability::new(p).unwrap()))
}

/// Every length up to a few blocks, at every start modulo a block, in and out of place, against one element at a time.
fn check_values<T: Element + PartialEq>(p: f64, scale: T, convert: impl Fn(f32) -> T) {
    let draw = draw(7, p);
    for start in 0..17 {
        for len in (0..70).chain([511, 512, 513, 1030]) {
            let input: Vec<T> = (0..len).map(|i| convert(i as f32 - 20.5)).collect();
            let expected: Vec<T> = (start..)
                .zip(&input)
                .map(|(i, &x)| x * if draw.mask().keeps(i) { scale } else { T::default() })
                .collect();

            let mut output = vec![scale; len];
            draw.at(start).forward(&input, &mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}");
            output.fill(scale);
            draw.at(start).backward(&input, &mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}, backward");

            output.clone_from(&input);
            draw.at(start).forward_inplace(&mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}, in place");
            output.clone_from(&input);
            draw.at(start).backward_inplace(&mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}, backward in place");
        }
    }
}

#[test]
fn kept_elements_are_scaled_and_dropped_ones_zero_in_every_type() {
    for p in [0.1, 0.5, 0.9] {
        let keep = 1.0 - p;
        let single = 1.0 / keep as f32;
        check_values(p, 1.0 / keep, f64::from);
        check_values(p, single, |x| x);
        check_values(p, f16::from_f32(single), f16::from_f32);
        check_values(p, bf16::from_f32(single), bf16::from_f32);
    }
}

#[test]
fn at_one_all_is_zero_and_never_nan() {
    let mut data = [1.0f32, -2.0, 3.0, f32::MAX];
    draw(1, 1.0).forward_inplace(&mut data).unwrap();
    assert!(data.iter().all(|&y| y == 0.0), "{data:?}");
}

#[test]
fn infinities_nans_and_signs_propagate_as_in_a_product() {
    let draw = draw(3, 0.5);
    let input = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -1.0].repeat(25);
    let mut output = vec![0.0; 100];
    draw.forward(&input, &mut output).unwrap();
    for (i, (x, y)) in input.iter().zip(&output).enumerate() {
        let expected = x * if draw.mask().keeps(i as u64) { 2.0 } else { 0.0 };
        assert!(y.to_bits() == expected.to_bits() || (y.is_nan() && expected.is_nan()), "{y} instead of {expected}");
    }
}

#[test]
fn lengths_have_to_agree() {
    let mut output = [7.0f32; 3];
    let error = draw(1, 0.5).forward(&[1.0, 2.0], &mut output).unwrap_err();
    assert_eq!(error.to_string(), "input and output have to be of the same length, but got 2 and 3 elements");
    assert_eq!(output, [7.0; 3]);
}

#[test]
fn fused_forms_are_the_operations_one_after_the_other() {
    let (draw, columns) = (draw(7, 0.3).at(5), 77);
    let numbers = |step: usize| (0..columns * 40).map(|i| ((i * step) % 509) as f32 / 37.0 - 6.5).collect::<Vec<_>>();
    let (x, residual) = (numbers(7), numbers(11));
    let bias = &residual[..columns];
    let add = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f32>>();
    let dropout = |mut x: Vec<f32>| {
        draw.forward_inplace(&mut x).unwrap();
        x
    };

    let expected = add(&residual, &dropout(x.clone()));
    let mut output = vec![0.0; x.len()];
    draw.forward_residual(&x, &residual, &mut output).unwrap();
    assert_eq!(output, expected);
    output.clone_from(&residual);
    draw.forward_residual_inplace(&x, &mut output).unwrap();
    assert_eq!(output, expected);

    let expected = add(&residual, &dropout(add(&x, &bias.repeat(40))));
    draw.forward_bias_residual(&x, bias, &residual, &mut output).unwrap();
    assert_eq!(output, expected);
    output.clone_from(&residual);
    draw.forward_bias_residual_inplace(&x, bias, &mut output).unwrap();
    assert_eq!(output, expected);

    let (mut grad_input, mut grad_bias) = (vec![0.0; x.len()], vec![0.0; columns]);
    draw.backward_bias(&residual, &mut grad_input, &mut grad_bias).unwrap();
    assert_eq!(grad_input, dropout(residual.clone()));
    for (column, &grad) in grad_bias.iter().enumerate() {
        let sum: f64 = grad_input.iter().skip(column).step_by(columns).map(|&g| f64::from(g)).sum();
        assert_eq!(grad, sum as f32);
    }
    let (mut inplace, mut inplace_bias) = (residual, vec![0.0; columns]);
    draw.backward_bias_inplace(&mut inplace, &mut inplace_bias).unwrap();
    assert_eq!((inplace, inplace_bias), (grad_input, grad_bias));
}

#[test]
fn fused_forms_check_lengths() {
    let draw = draw(1, 0.5);
    let mut output = [7.0f32; 6];
    let error = draw.forward_residual(&[0.0; 6], &[0.0; 5], &mut output).unwrap_err();
    assert_eq!(error.to_string(), "residual and output have to be of the same length, but got 5 and 6 elements");
    let error = draw.forward_bias_residual(&[0.0; 6], &[0.0; 4], &[0.0; 6], &mut output).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a tensor has to be whole rows of as many elements as its bias, 4, but got 6 elements"
    );
    assert!(draw.backward_bias(&[0.0; 6], &mut output, &mut []).is_err());
    assert_eq!(output, [7.0; 6]);
    draw.forward_bias_residual::<f32>(&[], &[], &[], &mut []).unwrap();
}

#[test]
fn is_serialisable_at_every_p() {
    for p in [0.0, 0.1, 1.0] {
        let draw = draw(5, p).at(11);
        let json = serde_json::to_string(&draw).unwrap();
        assert_eq!(serde_json::from_str::<Draw>(&json).unwrap(), draw);
    }
}

fn part_equals_whole<T: Element + PartialEq + Debug>(draw: &Draw, input: &[T], from: usize, to: usize) {
    let mut whole = input.to_vec();
    draw.forward_inplace(&mut whole).unwrap();
    let mut part = input[from..to].to_vec();
    draw.at(from as u64).forward_inplace(&mut part).unwrap();
    assert_eq!(part, whole[from..to]);
}

proptest! {
    #[test]
    fn any_part_equals_that_part_of_the_whole(
        seed: u64,
        p in 0.0..=1.0,
        input in prop::collection::vec(-1e3f32..1e3, 0..3000),
        cuts in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let (a, b) = (cuts.0.index(input.len() + 1), cuts.1.index(input.len() + 1));
        part_equals_whole(&draw(seed, p), &input, a.min(b), a.max(b));
    }

    /// The same for `forward_bias_residual`, and for all three of its gradients.
    #[test]
    fn backward_bias_agrees_with_a_finite_difference(
        seed: u64,
        p in 0.0..0.95,
        columns in 1..20usize,
        numbers in prop::collection::vec((-10.0..10.0, -10.0..10.0, -10.0..10.0), 100),
    ) {
        let draw = draw(seed, p);
        let count = 100 / columns * columns;
        let x: Vec<f64> = numbers[..count].iter().map(|n| n.0).collect();
        let residual: Vec<f64> = numbers[..count].iter().map(|n| n.1).collect();
        let weights: Vec<f64> = numbers[..count].iter().map(|n| n.2).collect();
        let bias: Vec<f64> = residual.iter().rev().take(columns).copied().collect();
        let loss = |x: &[f64], bias: &[f64], residual: &[f64]| {
            let mut y = vec![0.0; count];
            draw.forward_bias_residual(x, bias, residual, &mut y).unwrap();
            y.iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>()
        };
        let (mut grad_x, mut grad_bias) = (vec![0.0; count], vec![0.0; columns]);
        draw.backward_bias(&weights, &mut grad_x, &mut grad_bias).unwrap();

        let h = 1e-3;
        let moved = |of: &[f64], i: usize, by: f64| {
            let mut moved = of.to_vec();
            moved[i] += by;
            moved
        };
        let close = |above: f64, below: f64, gradient: f64| {
            let quotient = (above - below) / (2.0 * h);
            (quotient - gradient).abs() < 1e-6 * (1.0 + quotient.abs())
        };
        for i in 0..count {
            let [up, down] = [h, -h].map(|by| loss(&moved(&x, i, by), &bias, &residual));
            prop_assert!(close(up, down, grad_x[i]));
            let [up, down] = [h, -h].map(|by| loss(&x, &bias, &moved(&residual, i, by)));
            prop_assert!(close(up, down, weights[i]));
        }
        for (i, &gradient) in grad_bias.iter().enumerate() {
            let [up, down] = [h, -h].map(|by| loss(&x, &moved(&bias, i, by), &residual));
            prop_assert!(close(up, down, gradient));
        }
    }

    /// dL/dx from `backward` against the difference quotient of L = sum(w * forward(x)), which is linear in x.
    #[test]
    fn backward_agrees_with_a_finite_difference(
        seed: u64,
        p in 0.0..0.95,
        start: u32,
        pairs in prop::collection::vec((-10.0..10.0, -10.0..10.0), 1..100),
    ) {
        let draw = draw(seed, p).at(u64::from(start));
        let (x, weights): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let loss = |x: &[f64]| {
            let mut y = vec![0.0; x.len()];
            draw.forward(x, &mut y).unwrap();
            y.iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>()
        };
        let mut gradient = vec![0.0; x.len()];
        draw.backward(&weights, &mut gradient).unwrap();
        for i in 0..x.len() {
            let h = 1e-3;
            let mut moved = x.clone();
            moved[i] += h;
            let above = loss(&moved);
            moved[i] -= 2.0 * h;
            let quotient = (above - loss(&moved)) / (2.0 * h);
            prop_assert!((quotient - gradient[i]).abs() < 1e-6 * (1.0 + quotient.abs()));
        }
    }
}
