//! The promise: every case of `test_vectors` gives what it has to give.

use nn_dropout::{Effect, Element, bf16, f16};
use nn_dropout_test_vectors::{Case, Number, cases};

fn check<T: Element + Number>(case: &Case) {
    case.assert_output(&case.draw().forward_to_vec(&case.input::<T>()).unwrap());
}

#[test]
fn every_case_gives_what_it_has_to_give() {
    for case in cases() {
        let draw = case.draw();
        let elements = 0..draw.index().count();
        if case.takes_numbers() {
            let number = |bit| match draw.effect() {
                Effect::UniformNoise(_) => draw.mask().uniform(bit),
                _ => draw.mask().normal(bit),
            };
            case.assert_numbers(&elements.map(|i| number(draw.index().bit(i)).unwrap()).collect::<Vec<_>>());
        } else {
            case.assert_kept(&elements.map(|i| draw.keeps(i)).collect::<Vec<_>>());
        }
        check::<f32>(&case);
        check::<f64>(&case);
        check::<f16>(&case);
        check::<bf16>(&case);
    }
}

#[test]
fn every_layer_draws_what_it_has_to_draw() {
    let mut kinds = Vec::new();
    for case in cases() {
        if let Some((layer, shape)) = case.layer() {
            assert_eq!(layer.draw(shape).unwrap().as_ref(), Some(&case.draw()), "{layer} {shape:?}");
            kinds.push(layer.kind());
        }
    }
    // Blocks of volumes are blocks of images with one more axis.
    let missing = |kind: &nn_dropout::Kind| !kinds.contains(kind) && *kind != nn_dropout::Kind::DropBlock3d;
    assert_eq!(nn_dropout::Kind::ALL.into_iter().find(missing), None);
}
