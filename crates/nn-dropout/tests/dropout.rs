//! The layer: what a user sees of it.

use std::borrow::Cow;

use nn_dropout::{Dropout, Generator};

fn dropout(p: f64) -> Dropout {
    Dropout::with_generator(p, &Generator::philox(42)).unwrap()
}

#[test]
fn prints_as_pytorch_does_without_inplace() {
    assert_eq!(dropout(0.5).to_string(), "Dropout(p=0.5)");
    assert_eq!(dropout(1e-5).to_string(), "Dropout(p=1e-05)");
}

#[test]
fn refuses_what_is_no_probability() {
    for (p, shown) in [(1.5, "1.5"), (-0.1, "-0.1"), (f64::NAN, "NaN")] {
        assert_eq!(
            Dropout::new(p).unwrap_err().to_string(),
            format!("dropout probability has to be between 0 and 1, but got {shown}")
        );
    }
}

#[test]
fn gives_zero_or_twice_in_another_pattern_each_call_and_the_same_sequence_after_the_same_seed() {
    let generator = Generator::philox(123);
    let dropout = Dropout::with_generator(0.5, &generator).unwrap();
    let run = || {
        generator.manual_seed(9);
        (0..200).map(|_| dropout.forward([1.0, 2.0, 3.0, 4.0])).collect::<Vec<_>>()
    };
    let outputs = run();
    for output in &outputs {
        for (y, x) in output.iter().zip([1.0, 2.0, 3.0, 4.0]) {
            assert!(*y == 0.0 || *y == 2.0 * x, "{output:?}");
        }
    }
    let mut patterns: Vec<_> = outputs.iter().map(|y| y.map(|y| y == 0.0)).collect();
    patterns.sort_unstable();
    patterns.dedup();
    assert_eq!(patterns.len(), 16);
    assert_eq!(run(), outputs);
}

#[test]
fn eval_mode_and_p_zero_give_the_input_back_and_draw_nothing() {
    let generator = Generator::philox(1);
    let mut eval = Dropout::with_generator(0.5, &generator).unwrap();
    eval.eval();
    let zero = Dropout::with_generator(0.0, &generator).unwrap();
    let state = generator.state();
    for layer in [&eval, &zero] {
        let data = vec![f32::NAN, 2.0, 3.0];
        let address = data.as_ptr();
        let Cow::Borrowed(same) = layer.forward(&data[..]) else {
            panic!("copied");
        };
        assert_eq!(same.as_ptr(), address);
        let mut data = layer.forward(data);
        assert_eq!(data.as_ptr(), address);
        assert_eq!(layer.forward(&mut data[..]).as_ptr(), address);
        assert!(data[0].is_nan() && data[1..] == [2.0, 3.0]);
        assert!(layer.draw(&[10]).unwrap().is_none());
    }
    assert_eq!(generator.state(), state);
    assert!(!eval.is_training());
    assert!(eval.train().is_training());
    assert!(eval.draw(&[10]).unwrap().is_some());
}

#[test]
fn takes_what_is_borrowed_and_overwrites_what_is_owned() {
    let data = vec![1f32; 100];
    let expected = dropout(0.5).forward(&data).into_owned();
    assert_eq!(data, [1.0; 100]);
    assert_eq!(dropout(0.5).forward(&data[..]), expected);
    assert_eq!(dropout(0.5).forward(&[1f32; 100]), expected);
    assert_eq!(dropout(0.5).forward([1f32; 100]), *expected);

    let mut overwritten = data.clone();
    assert_eq!(dropout(0.5).forward(&mut overwritten), &expected);
    let mut overwritten = [1f32; 100];
    dropout(0.5).forward(&mut overwritten);
    assert_eq!(overwritten, *expected);

    let address = data.as_ptr();
    let output = dropout(0.5).forward(data);
    assert_eq!((output.as_ptr(), output), (address, expected));
}

#[test]
fn outputs_are_inputs_of_the_next_layer() {
    let x = [1f32; 100];
    let (first, second) = (dropout(0.5), dropout(0.5));
    let y: Cow<[f32]> = second.forward(first.forward(&x));
    assert!(y.iter().all(|&y| y == 0.0 || y == 4.0));
    let array = ndarray::Array2::from_elem((10, 10), 1f32);
    let z = dropout(0.5).forward(dropout(0.5).forward(array.view()));
    assert!(z.iter().eq(y.iter()));
    let mut array = array;
    dropout(0.5).forward(array.row_mut(3));
    assert!(array.row(3).iter().all(|&y| y != 1.0) && array.row(2).iter().all(|&y| y == 1.0));
}

#[test]
fn takes_empty_inputs() {
    assert_eq!(dropout(0.5).forward(Vec::<f32>::new()), []);
}

mod arrays {
    use ndarray::{Array, Array1, Array3, Array4, ArrayD, ArrayViewMut4, Axis, Dimension, ShapeBuilder, Slice, arr0};
    use nn_dropout::{Generator, Kind, Layer};

    use super::dropout;

    /// Elements have their row-major index, however they lie in memory.
    fn check<D: Dimension>(array: Array<f32, D>) {
        let flat = dropout(0.5).forward(array.iter().copied().collect::<Vec<_>>());

        let output = dropout(0.5).forward(&array);
        assert!(output.iter().eq(&flat));
        assert!(!output.is_view());

        let strides = array.strides().to_vec();
        let owned = dropout(0.5).forward(array.clone());
        assert!(owned.iter().eq(&flat));
        assert_eq!(owned.strides(), strides);

        let mut overwritten = array;
        dropout(0.5).forward(&mut overwritten);
        assert!(overwritten.iter().eq(&flat));
    }

    #[test]
    fn of_any_dimension_and_memory_order() {
        let values = || (1..=120).map(|x| x as f32);
        check(arr0(3.0));
        check(Array1::from_iter(values()));
        let row_major = Array3::from_shape_vec((4, 5, 6), values().collect()).unwrap();
        check(Array3::from_shape_vec((4, 5, 6).f(), values().collect()).unwrap());
        check(row_major.clone().permuted_axes([1, 2, 0]));
        check(ArrayD::from_shape_vec(vec![2, 3, 2, 5, 2], values().collect()).unwrap());
        check(Array3::zeros((4, 0, 6)));
        check(row_major);
    }

    #[test]
    fn of_views_with_gaps_and_negative_strides() {
        let mut array = Array3::from_elem((4, 5, 6), 1f32);
        array.invert_axis(Axis(1));
        let mut view = array.slice_mut(ndarray::s![..;2, 1.., ..;-1]);
        dropout(0.5).forward(&mut view);
        let flat = dropout(0.5).forward(vec![1f32; view.len()]);
        assert!(view.iter().eq(&flat));
        let changed = array.iter().filter(|&&x| x != 1.0).count();
        assert_eq!(changed, flat.len(), "elements outside the view were touched");
    }

    #[test]
    fn unchanged_in_eval_mode() {
        let mut layer = dropout(0.5);
        layer.eval();
        let array = Array3::from_elem((2, 3, 4).f(), 1f32);
        assert_eq!(layer.forward(&array).as_ptr(), array.as_ptr());
        let address = array.as_ptr();
        assert_eq!(layer.forward(array).as_ptr(), address);
    }

    #[test]
    fn that_are_owned_keep_their_memory() {
        let array = Array3::from_elem((2, 3, 4), 1f32);
        let address = array.as_ptr();
        let output = dropout(0.5).forward(&array);
        assert_ne!(output.as_ptr(), address);
        assert_eq!(dropout(0.5).forward(array).as_ptr(), address);
    }

    /// Channels and elements, in every order of axes, forwards and backwards, with gaps and without.
    #[test]
    fn of_any_strides_get_the_noise_of_their_shape() {
        let orders = [[0, 1, 2, 3], [0, 2, 3, 1], [3, 1, 0, 2], [2, 0, 3, 1], [3, 2, 1, 0]];
        for (kind, family) in
            Kind::ALL.into_iter().flat_map(|kind| ["philox", "torch", "jax"].map(|family| (kind, family)))
        {
            for (order, step) in orders.into_iter().flat_map(|order| [1, 2, -1, -3].map(|step| (order, step))) {
                if family == "torch" && order != orders[0] {
                    continue; // PyTorch's element-wise masks follow the order in memory
                }
                if kind == Kind::DropBlock3d || family != "philox" && kind.takes_numbers() {
                    continue;
                }
                let noisy = |array: ArrayViewMut4<f32>| {
                    let generator = match family {
                        "torch" => Generator::torch(3),
                        "jax" => Generator::jax(3),
                        _ => Generator::philox(3),
                    };
                    let layer = Layer::with_generator(kind, 0.5, &generator).unwrap();
                    let mut array = array.into_dyn();
                    if kind == Kind::Dropout1d {
                        array.index_axis_inplace(Axis(0), 0);
                    }
                    layer.forward(&mut array).unwrap();
                };
                let mut memory = Array4::from_shape_fn((5, 6, 70, 8), |(a, b, c, d)| (a + 2 * b + 3 * c + d) as f32);
                for axis in 1..4 {
                    memory.slice_axis_inplace(Axis(axis), Slice::new(0, None, if axis == 2 { 1 } else { step }));
                }
                let mut strided = memory.permuted_axes(order);
                let mut plain = strided.as_standard_layout().into_owned();
                noisy(strided.view_mut());
                noisy(plain.view_mut());
                assert_eq!(strided, plain, "{kind}, {order:?}, {step}");
            }
        }
    }
}
