//! The promise: every case of `test_vectors` gives what it has to give, through candle's tensors and layers.

use candle_core::{Device, Result, Tensor, WithDType};
use half::{bf16, f16};
use nn_dropout_candle::{ApplyDraw, DropoutLayer, Generator};
use nn_dropout_test_vectors::{Case, Number, cases};

fn check<T: Number + WithDType>(case: &Case) -> Result<()> {
    let input = case.input::<T>();
    let count = input.len();
    let x = Tensor::from_vec(input, count, &Device::Cpu)?;
    case.assert_output(&x.apply_op1(ApplyDraw(case.draw()))?.to_vec1::<T>()?);

    let Some((layer, shape)) = case.layer().filter(|(layer, _)| layer.kind().takes_one_tensor()) else { return Ok(()) };
    let generator = Generator::philox(layer.generator().initial_seed());
    let ours = DropoutLayer::from_config(layer.config().clone(), &generator)?.with_mode(layer.mode());
    case.assert_output(&ours.forward(&x.reshape(shape)?, true)?.flatten_all()?.to_vec1::<T>()?);
    Ok(())
}

#[test]
fn every_case_gives_what_it_has_to_give() -> Result<()> {
    for case in cases() {
        check::<f32>(&case)?;
        check::<f64>(&case)?;
        check::<f16>(&case)?;
        check::<bf16>(&case)?;
    }
    Ok(())
}
