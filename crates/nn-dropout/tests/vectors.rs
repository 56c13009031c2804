//! The promise: every case of `test_vectors` gives what it has to give.

use nn_dropout::{Element, bf16, f16};
use nn_dropout_test_vectors::{Case, Number, cases};

fn check<T: Element + Number>(case: &Case) {
    case.assert_output(&case.draw().forward_to_vec(&case.input::<T>()).unwrap());
}

#[test]
fn every_case_gives_what_it_has_to_give() {
    for case in cases() {
        let draw = case.draw();
        case.assert_kept(&(0..draw.index().count()).map(|i| draw.keeps(i)).collect::<Vec<_>>());
        check::<f32>(&case);
        check::<f64>(&case);
        check::<f16>(&case);
        check::<bf16>(&case);
    }
}
