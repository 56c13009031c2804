//! Tensors of all types, however they lie in memory, and those that are refused.

use candle_core::{DType, Device, Result, Tensor};
use nn_dropout::{Draw, Effect, Index, Magnitude, Mask, Probability};
use nn_dropout_candle::ApplyDraw;

const FLOATS: [DType; 5] = [DType::F64, DType::F32, DType::F16, DType::BF16, DType::F8E4M3];

fn mask(p: f64) -> Mask {
    Mask::philox(42, 3, 1, Probability::new(p).unwrap())
}

fn op(p: f64) -> ApplyDraw {
    ApplyDraw(Draw::dropout(mask(p)))
}

/// Numbers with all of their digits in use, so that each rounding counts.
fn numbers(shape: &[usize], dtype: DType) -> Result<Tensor> {
    let count = shape.iter().product::<usize>();
    Tensor::from_iter((0..count).map(|i| (i as f64 * 1.7).sin() * 2.0), &Device::Cpu)?.reshape(shape)?.to_dtype(dtype)
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    // candle's own conversion from f8e4m3 to f64 does not end.
    let wide = if tensor.dtype() == DType::F8E4M3 { DType::F32 } else { tensor.dtype() };
    let wide = tensor.to_dtype(wide).and_then(|tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>());
    wide.unwrap().into_iter().map(f64::to_bits).collect()
}

/// Checks all forms with views of the same shape.
fn check(name: &str, x: &Tensor, residual: &Tensor) -> Result<()> {
    let expected = x.force_contiguous()?.apply_op1(op(0.3))?;
    assert!(expected.is_contiguous());
    assert_eq!(bits(&x.apply_op1(op(0.3))?), bits(&expected), "{name}");
    let sum = (residual + &expected)?;
    let contiguous = residual.force_contiguous()?;
    for (x, residual) in [(x, residual), (&x.force_contiguous()?, residual), (x, &contiguous)] {
        assert_eq!(bits(&x.apply_op2(residual, op(0.3))?), bits(&sum), "{name}, sum");
    }
    let both = x.force_contiguous()?.apply_op2(&contiguous, op(0.3))?;
    assert_eq!((bits(&both), both.dtype(), both.dims()), (bits(&sum), x.dtype(), x.dims()), "{name}, contiguous sum");
    Ok(())
}

#[test]
fn elements_have_their_row_major_index_in_any_layout() -> Result<()> {
    for dtype in FLOATS {
        let base = numbers(&[6, 35, 40], dtype)?;
        let row = numbers(&[40], dtype)?;
        let views = [
            ("whole", base.clone()),
            ("offset", base.narrow(0, 2, 3)?),
            ("transposed", base.t()?),
            ("outer axes swapped", base.transpose(0, 1)?),
            ("permuted", base.permute((2, 0, 1))?),
            ("narrow columns", base.narrow(2, 3, 30)?),
            ("one column", base.narrow(2, 7, 1)?),
            ("narrow rows", base.narrow(1, 5, 20)?),
            ("narrow and transposed", base.narrow(1, 5, 20)?.narrow(2, 1, 3)?.t()?),
            ("broadcast rows", row.broadcast_as((6, 35, 40))?),
            ("broadcast columns", base.narrow(2, 0, 1)?.broadcast_as((6, 35, 40))?),
            ("broadcast middle", base.narrow(1, 4, 1)?.broadcast_as((6, 35, 40))?),
            ("a broadcast number", row.get(3)?.broadcast_as((3, 4))?),
            ("no axes", row.get(3)?),
            ("many axes", base.reshape(&[2, 3, 5, 7, 2, 2, 5, 2])?.transpose(0, 7)?.transpose(2, 5)?),
        ];
        for (name, view) in &views {
            check(&format!("{name}, {dtype:?}"), view, &(view * 0.7)?)?;
            check(&format!("{name} twice, {dtype:?}"), view, view)?;
        }
    }
    Ok(())
}

#[test]
fn every_length_around_the_edges_of_chunks() -> Result<()> {
    let base = numbers(&[2, 4200], DType::F32)?;
    for length in (1..70).chain(2040..2056).chain(4090..4104) {
        let columns = base.narrow(1, 3, length)?;
        check("columns", &columns, &columns)?;
        check("transposed", &columns.t()?, &columns.t()?)?;
    }
    // Shared out among threads.
    let large = numbers(&[260, 1003], DType::F32)?;
    check("large", &large.t()?, &large.t()?)?;
    check("large columns", &large.narrow(1, 1, 1001)?, &large.narrow(1, 2, 1001)?)
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() -> Result<()> {
    let x = numbers(&[700, 901], DType::F32)?.t()?;
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let expected = bits(&x.apply_op1(op(0.3))?);
    for threads in [1, 2, 5] {
        assert_eq!(pool(threads).install(|| x.apply_op1(op(0.3)).map(|y| bits(&y)))?, expected);
    }
    Ok(())
}

#[test]
fn without_elements_there_is_nothing_to_do() -> Result<()> {
    for view in [
        Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?,
        Tensor::zeros((0, 5), DType::F32, &Device::Cpu)?.narrow(1, 3, 2)?,
        Tensor::zeros((5, 0, 4), DType::F32, &Device::Cpu)?.transpose(0, 2)?.narrow(0, 3, 1)?,
        Tensor::zeros(0, DType::F8E4M3, &Device::Cpu)?,
    ] {
        for y in [view.apply_op1(op(0.3))?, view.apply_op2(&view, op(0.3))?] {
            assert_eq!((y.dims(), y.elem_count()), (view.dims(), 0));
        }
    }
    Ok(())
}

#[test]
fn eight_bits_are_rounded_once() -> Result<()> {
    let x = numbers(&[500], DType::F8E4M3)?;
    for effect in [Effect::Dropout, Effect::Alpha, Effect::GaussianNoise(Magnitude::new(0.3).unwrap())] {
        let op = ApplyDraw(Draw::new(mask(0.3), Index::of(&[500]), effect));
        let expected = x.to_dtype(DType::F32)?.apply_op1(op.clone())?.to_dtype(DType::F8E4M3)?;
        let y = x.apply_op1(op)?;
        assert_eq!((y.dtype(), bits(&y)), (DType::F8E4M3, bits(&expected)), "{effect:?}");
    }
    Ok(())
}

#[test]
fn an_input_is_not_changed() -> Result<()> {
    let x = numbers(&[64, 64], DType::F32)?;
    let before = bits(&x);
    x.apply_op1(op(0.5))?;
    x.apply_op2(&x, op(0.5))?;
    assert_eq!(bits(&x), before);
    Ok(())
}

#[test]
fn what_is_not_finite_goes_through_as_in_a_product() -> Result<()> {
    let x = Tensor::full(f32::NAN, (3, 40), &Device::Cpu)?.t()?;
    assert!(x.apply_op1(op(0.5))?.flatten_all()?.to_vec1::<f32>()?.iter().all(|y| y.is_nan()));
    let y = Tensor::full(f32::INFINITY, 40, &Device::Cpu)?.apply_op1(op(0.5))?.to_vec1::<f32>()?;
    assert!(y.iter().all(|y| y.is_nan() || *y == f32::INFINITY) && y.iter().any(|y| y.is_nan()));
    Ok(())
}

fn error<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err().to_string();
    error.lines().next().unwrap().to_owned()
}

#[test]
fn errors_say_what_is_accepted() -> Result<()> {
    let x = numbers(&[4, 4], DType::F32)?;
    for (dtype, name) in [(DType::U8, "u8"), (DType::U32, "u32"), (DType::I64, "i64")] {
        let x = Tensor::ones((4, 4), dtype, &Device::Cpu)?;
        let expected = format!("noise is for tensors of f64, f32, f16, bf16 or f8e4m3, but got {name}");
        assert_eq!(error(x.apply_op1(op(0.5))), expected);
        assert_eq!(error(x.t()?.apply_op2(&x, op(0.5))), expected);
    }
    let expected = "a residual has to be of the same type and shape as the input, but got f32 [4] and f32 [4, 4]";
    assert_eq!(error(x.apply_op2(&x.get(0)?, op(0.5))), expected);
    let expected = "a residual has to be of the same type and shape as the input, but got f64 [4, 4] and f32 [4, 4]";
    assert_eq!(error(x.apply_op2(&x.to_dtype(DType::F64)?, op(0.5))), expected);

    let small = ApplyDraw(op(0.5).0.with_index(Index::of(&[3])));
    assert_eq!(error(x.apply_op1(small.clone())), "the draw has 3 elements left, but got 16");
    assert_eq!(error(x.t()?.apply_op1(small)), "the draw has 3 elements left, but got 16");
    Ok(())
}

#[test]
fn gradients_of_gradients_have_the_noise_too() -> Result<()> {
    let x = candle_core::Var::from_tensor(&Tensor::full(0.5, 64, &Device::Cpu)?)?;
    let y = x.powf(3.0)?.apply_op1(op(0.5))?.sum_all()?;
    let first = y.backward()?.get(&x).unwrap().clone();
    let second = first.sum_all()?.backward()?.get(&x).unwrap().to_vec1::<f64>()?;
    // y = 2 x^3 where it is kept.
    let kept = mask(0.5);
    assert!(second.iter().zip(0..).all(|(second, i)| *second == if kept.keeps(i) { 12.0 * 0.5 } else { 0.0 }));
    Ok(())
}
