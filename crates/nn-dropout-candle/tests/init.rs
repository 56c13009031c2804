//! Seeded initial values: their distributions, their order, and what is refused.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::init::{FanInOut, Init, NonLinearity, NormalOrUniform};
use candle_nn::{VarBuilder, VarMap};
use nn_dropout::{Mask, Probability};
use nn_dropout_candle::{Generator, seeded_var_builder};

fn builder(generator: &Generator) -> (VarMap, VarBuilder<'static>) {
    let variables = VarMap::new();
    let vb = seeded_var_builder(&variables, generator, DType::F64, &Device::Cpu);
    (variables, vb)
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).and_then(|tensor| tensor.flatten_all()?.to_vec1()).unwrap()
}

fn moments(values: &[f64]) -> [f64; 2] {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    [mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()]
}

#[test]
fn distributions_are_candles() -> Result<()> {
    let kaiming = |dist, fan, non_linearity| Init::Kaiming { dist, fan, non_linearity };
    let (normal, uniform) = (NormalOrUniform::Normal, NormalOrUniform::Uniform);
    for init in [
        Init::Const(0.0),
        Init::Const(1.0),
        Init::Const(-2.5),
        Init::Randn { mean: 1.0, stdev: 0.5 },
        Init::Uniform { lo: -1.0, up: 3.0 },
        kaiming(normal, FanInOut::FanIn, NonLinearity::ReLU),
        kaiming(normal, FanInOut::FanOut, NonLinearity::Tanh),
        kaiming(uniform, FanInOut::FanIn, NonLinearity::ExplicitGain(0.3)),
        kaiming(uniform, FanInOut::FanOut, NonLinearity::SELU),
    ] {
        let shape = (200, 50, 3);
        let ours = values(&builder(&Generator::philox(42)).1.get_with_hints(shape, "x", init)?);
        let theirs = values(init.var(shape, DType::F64, &Device::Cpu)?.as_tensor());
        let ([mean, deviation], [their_mean, their_deviation]) = (moments(&ours), moments(&theirs));
        assert!((mean - their_mean).abs() < 0.03 * (their_deviation + 1e-9), "{init:?}: {mean} and {their_mean}");
        assert!(
            (deviation / their_deviation - 1.0).abs() < 0.03 || their_deviation == 0.0 && deviation == 0.0,
            "{init:?}"
        );
        let most = |values: &[f64]| values.iter().map(|x| (x - their_mean).abs()).fold(0.0, f64::max);
        let bounded = matches!(init, Init::Uniform { .. } | Init::Kaiming { dist: NormalOrUniform::Uniform, .. });
        assert!(!bounded || (most(&ours) / most(&theirs) - 1.0).abs() < 0.01, "{init:?}");
    }
    Ok(())
}

#[test]
fn values_are_those_of_the_seed_and_of_the_order() -> Result<()> {
    let generator = Generator::philox(42);
    let (_, vb) = builder(&generator);
    let normal = Init::Randn { mean: 1.0, stdev: 0.5 };
    vb.get_with_hints(7, "constant", Init::Const(1.0))?;
    let first = values(&vb.get_with_hints((3, 4), "first", normal)?);
    let second = values(&vb.pp("deeper").get_with_hints(12, "second", Init::Uniform { lo: 2.0, up: 4.0 })?);
    let mask = |layer| Mask::philox(42, layer, 0, Probability::ZERO);
    let number = |i: usize| f64::from(mask(1).normal(i as u64).unwrap());
    assert_eq!(first, (0..12).map(|i| 1.0 + 0.5 * number(i)).collect::<Vec<_>>());
    let number = |i: usize| f64::from(mask(2).uniform(i as u64).unwrap());
    assert_eq!(second, (0..12).map(|i| 3.0 + number(i)).collect::<Vec<_>>());
    assert_eq!(generator.next_layer(), 3);
    Ok(())
}

#[test]
fn variables_are_kept_and_found_again() -> Result<()> {
    let generator = Generator::philox(42);
    let (variables, vb) = builder(&generator);
    let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
    let x = vb.pp("a").get_with_hints((2, 3), "x", normal)?;
    let again = vb.pp("a").get_with_hints((2, 3), "x", normal)?;
    assert_eq!(x.id(), again.id());
    assert_eq!(variables.all_vars()[0].id(), x.id());
    assert_eq!(generator.next_layer(), 1);
    assert!(vb.pp("a").contains_tensor("x") && !vb.contains_tensor("x"));

    let error = vb.pp("a").get_with_hints((3, 2), "x", normal).unwrap_err().to_string();
    assert!(error.starts_with("shape mismatch on a.x"), "{error}");
    assert!(vb.get_unchecked("a.x").unwrap_err().to_string().contains("use `get`"));
    Ok(())
}

#[test]
fn every_float_type_is_drawn() -> Result<()> {
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16, DType::F8E4M3] {
        let vb = seeded_var_builder(&VarMap::new(), &Generator::philox(42), dtype, &Device::Cpu);
        let x = vb.get_with_hints(1000, "x", Init::Randn { mean: 0.0, stdev: 1.0 })?;
        assert_eq!(x.dtype(), dtype);
        let [mean, deviation] = moments(&values(&x.to_dtype(DType::F32)?));
        assert!(mean.abs() < 0.1 && (deviation - 1.0).abs() < 0.1, "{dtype:?}: {mean}, {deviation}");
    }
    let empty = builder(&Generator::philox(42)).1.get_with_hints((3, 0), "x", Init::Uniform { lo: 0.0, up: 1.0 })?;
    assert_eq!(empty.dims(), [3, 0]);
    Ok(())
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let normal = |stdev| Init::Randn { mean: 0.0, stdev };
    let message = |generator: &Generator, dtype, init| {
        let vb = seeded_var_builder(&VarMap::new(), generator, dtype, &Device::Cpu);
        vb.get_with_hints(3, "x", init).unwrap_err().to_string().lines().next().unwrap().to_owned()
    };
    for generator in [Generator::torch(42), Generator::jax(42)] {
        let message = message(&generator, DType::F32, normal(1.0));
        assert!(
            message.contains("are drawn by a Philox generator, not by one of PyTorch's or JAX's masks"),
            "{message}"
        );
        let vb = builder(&generator).1;
        assert!(vb.get_with_hints(3, "x", Init::Const(1.0)).is_ok());
    }
    let philox = Generator::philox(42);
    let bad = "expected a finite number of at least 0, but got";
    for init in [normal(-1.0), normal(f64::NAN), normal(f64::INFINITY), Init::Uniform { lo: 1.0, up: 0.0 }] {
        assert!(message(&philox, DType::F32, init).starts_with(bad), "{init:?}");
    }
    assert!(message(&philox, DType::U8, normal(1.0)).ends_with("but got u8"));
}
