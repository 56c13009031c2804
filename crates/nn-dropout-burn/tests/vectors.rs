//! The promise: every case of `test_vectors` gives what it has to give, through Burn's tensors.

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Element, Tensor, TensorData};
use half::{bf16, f16};
use nn_dropout_burn::DropoutBackend;
use nn_dropout_test_vectors::{Case, Number, cases};

fn check<T: Number + Element>(case: &Case, dtype: DType, device: &Device) {
    let input = case.input::<T>();
    let count = input.len();
    let tensor = Tensor::<1>::from_data(TensorData::new(input, [count]), (device, dtype));
    let output = Tensor::<1>::from_dispatch(Dispatch::apply_draw(tensor.into_dispatch(), case.draw()));
    case.assert_output(&output.into_data().try_to_vec::<T>().unwrap());
}

#[test]
fn every_case_gives_what_it_has_to_give_on_flex() {
    for case in cases() {
        check::<f32>(&case, DType::F32, &Device::flex());
        check::<f64>(&case, DType::F64, &Device::flex());
        check::<f16>(&case, DType::F16, &Device::flex());
        check::<bf16>(&case, DType::BF16, &Device::flex());
    }
}
