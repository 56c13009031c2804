//! Draws: values, parts, gradients, for every element type.

use nn_dropout::{Affine, ApplyError, Draw, Effect, Element, Index, Mask, Probability, bf16, bias_gradient, f16};
use proptest::prelude::*;

fn draw(seed: u64, p: f64) -> Draw {
    Draw::dropout(Mask::philox(seed, 1, 2, Probability::new(p).unwrap()))
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
            draw.on(&input).at(start).write(&mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}");
            output.clone_from(&input);
            draw.forward_inplace_at(start, &mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}, in place");

            let draw = draw.clone().with_index(Index::new(start, [(len as u64, 1)]));
            assert_eq!(draw.forward_to_vec(&input).unwrap(), expected, "{len} elements from {start}, to a vector");
            output.fill(scale);
            draw.forward(&input, &mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}, by their index");
            output.fill(scale);
            draw.backward(&input, &mut output).unwrap();
            assert_eq!(output, expected, "{len} elements from {start}, backward");
            output.clone_from(&input);
            draw.backward_inplace(&mut output).unwrap();
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
    let (columns, rows) = (77, 40);
    let draw = draw(7, 0.3).with_index(Index::new(5, [(77 * 40, 1)]));
    let numbers = |step: usize| (0..columns * rows).map(|i| ((i * step) % 509) as f32 / 37.0 - 6.5).collect::<Vec<_>>();
    let (x, residual) = (numbers(7), numbers(11));
    let bias = &residual[..columns];
    let add = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f32>>();
    let dropout = |x: &[f32]| draw.forward_to_vec(x).unwrap();

    let biased = dropout(&add(&x, &bias.repeat(rows)));
    for (form, noisy) in [(draw.on(&x), dropout(&x)), (draw.on(&x).bias(bias), biased)] {
        let mut output = vec![0.0; x.len()];
        form.write(&mut output).unwrap();
        assert_eq!(output, noisy);
        let expected = add(&residual, &noisy);
        form.add(&residual, &mut output).unwrap();
        assert_eq!(output, expected);
        output.clone_from(&residual);
        form.add_to(&mut output).unwrap();
        assert_eq!(output, expected);
    }
    let (from, mut output) = (3 * columns, vec![0.0; columns]);
    draw.on(&x[from..from + columns]).bias(bias).at(from as u64).write(&mut output).unwrap();
    assert_eq!(output, dropout(&add(&x, &bias.repeat(rows)))[from..from + columns]);

    let (mut grad_input, mut grad_bias) = (vec![0.0; x.len()], vec![0.0; columns]);
    draw.backward(&residual, &mut grad_input).unwrap();
    bias_gradient(&grad_input, &mut grad_bias).unwrap();
    assert_eq!(grad_input, dropout(&residual));
    for (column, &grad) in grad_bias.iter().enumerate() {
        let sum: f64 = grad_input.iter().skip(column).step_by(columns).map(|&g| f64::from(g)).sum();
        assert_eq!(grad, sum as f32);
    }
}

#[test]
fn fused_forms_check_lengths() {
    let draw = draw(1, 0.5);
    let mut output = [7.0f32; 6];
    let message = |result: Result<(), ApplyError>| result.unwrap_err().to_string();
    assert_eq!(
        message(draw.on(&[0.0; 6]).add(&[0.0; 5], &mut output)),
        "residual and output have to be of the same length, but got 5 and 6 elements"
    );
    assert_eq!(
        message(draw.on(&[0.0; 5]).add_to(&mut output)),
        "input and residual have to be of the same length, but got 5 and 6 elements"
    );
    let rows = "a tensor has to be whole rows of 4 elements, but got 6";
    assert_eq!(message(draw.on(&[0.0; 6]).bias(&[0.0; 4]).write(&mut output)), rows);
    assert_eq!(
        message(draw.on(&[0.0; 6]).bias(&[0.0; 3]).at(7).add(&[0.0; 6], &mut output)),
        "a tensor with a bias has to begin with a row of 3 elements, but got element 7"
    );
    assert!(bias_gradient(&[0.0; 6], &mut output[..4]).is_err());
    assert!(bias_gradient(&[0.0; 6], &mut output[..0]).is_err());
    let few = draw.with_index(Index::of(&[2, 3]));
    assert_eq!(message(few.forward_inplace(&mut [0f32; 7])), "the draw has 6 elements left, but got 7");
    assert_eq!(message(few.forward_inplace_at(3, &mut output)), "the draw has 3 elements left, but got 6");
    assert!(few.forward_to_vec(&[0f32; 7]).is_err());
    assert_eq!(output, [7.0; 6]);
    few.on(&[0f32; 0]).bias(&[]).add(&[], &mut []).unwrap();
}

#[test]
fn can_be_read_and_done_elsewhere() {
    let mask = Mask::philox(7, 1, 2, Probability::new(0.2).unwrap());
    let index = Index::shared(&[3, 4], &[1]);
    let draw = Draw::new(mask.clone(), index.clone(), Effect::Alpha);
    assert_eq!((draw.mask(), draw.index(), draw.effect()), (&mask, &index, Effect::Alpha));
    let Affine::ScaleAndShift([scale, zero], [kept, dropped]) = draw.affine::<f32>() else {
        panic!("alpha dropout has shifts");
    };
    let x: Vec<f32> = (0..12).map(|i| i as f32 / 4.0).collect();
    let elsewhere =
        (0..).zip(&x).map(|(i, x)| if mask.keeps(index.bit(i)) { x * scale + kept } else { x * zero + dropped });
    assert_eq!(draw.forward_to_vec(&x).unwrap(), elsewhere.collect::<Vec<_>>());
    assert_eq!(draw.gradient().affine::<f32>(), Affine::Scale([scale, 0.0]));
    assert_eq!(draw.gradient().gradient(), draw.gradient());
}

#[test]
fn is_serialisable_at_every_p() {
    for p in [0.0, 0.1, 1.0] {
        let draw = draw(5, p).with_index(Index::new(u64::MAX, [(5, 7), (3, 0)]));
        let json = serde_json::to_string(&draw).unwrap();
        assert_eq!(serde_json::from_str::<Draw>(&json).unwrap(), draw);
    }
}

proptest! {
    /// dL/dx from `backward` against the difference quotient of L = sum(w * (residual + noise(x + bias))), which is linear, and
    /// so for the residual and the bias.
    #[test]
    fn fused_gradients_agree_with_finite_differences(
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
            draw.on(x).bias(bias).add(residual, &mut y).unwrap();
            y.iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>()
        };
        let (mut grad_x, mut grad_bias) = (vec![0.0; count], vec![0.0; columns]);
        draw.backward(&weights, &mut grad_x).unwrap();
        bias_gradient(&grad_x, &mut grad_bias).unwrap();

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

    /// The same for `forward` alone, with an index.
    #[test]
    fn backward_agrees_with_a_finite_difference(
        seed: u64,
        p in 0.0..0.95,
        start: u32,
        pairs in prop::collection::vec((-10.0..10.0, -10.0..10.0), 1..100),
    ) {
        let draw = draw(seed, p).with_index(Index::new(u64::from(start), [(100, 3)]));
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
