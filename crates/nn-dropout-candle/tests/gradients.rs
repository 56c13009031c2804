//! Gradients of every layer are those that finite differences give, with the noise held fixed.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::ops::softmax;
use candle_nn::{VarBuilder, VarMap};
use nn_dropout_candle::{
    ConcreteDropout, ConcreteDropoutConfig, Config, DropoutLayer, EmbeddingDropout, Generator, Kind, LabelDropout,
    LayerDrop, Mode, TokenDropout, Zoneout,
};

fn numbers(count: usize) -> Result<Tensor> {
    Tensor::from_iter((0..count).map(|i| (i as f64 * 1.7).sin() + 0.1), &Device::Cpu)
}

/// The gradient of `sum(sin(f(x)) * weight)` for some weights, in two ways. `f` is called with the same noise each time.
fn check(name: &str, generator: &Generator, count: usize, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    let loss = |x: &Tensor| {
        generator.manual_seed(1);
        let y = f(x)?.flatten_all()?;
        let weight = numbers(y.elem_count())?;
        (y.sin()? * weight)?.sum_all()
    };
    let x = Var::from_tensor(&numbers(count)?)?;
    let gradient = loss(&x)?.backward()?.get(&x).unwrap().to_vec1::<f64>()?;
    let (at, step) = (x.to_vec1::<f64>()?, 1e-6);
    for i in 0..count {
        let moved = |by: f64| {
            let mut moved = at.clone();
            moved[i] += by;
            loss(&Tensor::from_vec(moved, count, &Device::Cpu)?)?.to_scalar::<f64>()
        };
        let difference = (moved(step)? - moved(-step)?) / (2.0 * step);
        assert!((gradient[i] - difference).abs() < 1e-7, "{name}, element {i}: {} and {difference}", gradient[i]);
    }
    assert!(gradient.iter().any(|g| *g != 0.0), "{name}");
    Ok(())
}

#[test]
fn of_layers_that_take_one_tensor() -> Result<()> {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor()) {
        for mode in [Mode::Train, Mode::MonteCarlo] {
            let generator = Generator::philox(0);
            let layer = DropoutLayer::from_config(Config::new(kind, 0.3).unwrap(), &generator)?.with_mode(mode);
            let name = format!("{kind}, {mode:?}");
            let shape: &[usize] = match kind {
                Kind::Dropout1d => &[3, 4, 2],
                Kind::DropBlock3d => &[2, 2, 2, 2, 2],
                Kind::DropKey => &[2, 12],
                _ => &[3, 3, 2, 2],
            };
            check(&name, &generator, shape.iter().product(), |x| {
                let y = layer.forward(&x.reshape(shape)?, true)?;
                // Infinite elements are for a softmax.
                if kind == Kind::DropKey { softmax(&y, D::Minus1) } else { Ok(y) }
            })?;
            let sum = |x: &Tensor| layer.forward_add(&x.reshape(shape)?, &(x.reshape(shape)? * 0.3)?, true);
            if kind != Kind::DropKey {
                check(&format!("{name}, sum"), &generator, shape.iter().product(), sum)?;
                check(&format!("{name}, transposed"), &generator, shape.iter().product(), |x| {
                    let mut shape = shape.to_vec();
                    let last = shape.len() - 1;
                    shape.swap(0, last);
                    layer.forward(&x.reshape(shape)?.transpose(0, last)?, true)
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn of_layers_that_take_more() -> Result<()> {
    let generator = Generator::philox(0);
    let zoneout = Zoneout::with_generator(0.4, &generator);
    for (layer, train) in
        [(zoneout.clone(), true), (zoneout.clone().with_mode(Mode::MonteCarlo), false), (zoneout, false)]
    {
        check("zoneout", &generator, 24, |x| {
            let halves = x.reshape((2, 3, 4))?;
            layer.forward(&halves.get(0)?, &halves.get(1)?, train)
        })?;
    }
    let labels = LabelDropout::with_generator(0.5, &generator);
    check("label-dropout", &generator, 15, |x| {
        labels.forward(&x.narrow(0, 0, 12)?.reshape((4, 3))?, &x.narrow(0, 12, 3)?, true)
    })?;
    let embedding = EmbeddingDropout::with_generator(0.4, &generator);
    check("embedding-dropout", &generator, 15, |x| {
        embedding.forward(&x.reshape((5, 3))?, &Tensor::new(&[[0u32, 4, 1], [1, 2, 1]], &Device::Cpu)?, true)
    })?;
    let tokens = TokenDropout::with_generator(0.4, &generator);
    check("token-dropout", &generator, 30, |x| Ok(tokens.keep_tokens(&x.reshape((2, 5, 3))?, 1, true)?.0))?;
    let layer_drop = LayerDrop::with_generator(0.5, &generator);
    check("layer-drop", &generator, 4, |x| (0..6).try_fold(x.clone(), |x, _| layer_drop.forward(&x, true, |x| x * 1.5)))
}

fn concrete(generator: &Generator, p: f64) -> Result<(VarMap, ConcreteDropout)> {
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F64, &Device::Cpu);
    let config = ConcreteDropoutConfig { p, weight_regularizer: 0.03, dropout_regularizer: 0.2, ..Default::default() };
    Ok((variables, ConcreteDropout::with_generator(config, generator, vb)?))
}

#[test]
fn of_concrete_dropout() -> Result<()> {
    for mode in [Mode::Train, Mode::MonteCarlo] {
        let generator = Generator::philox(0);
        let layer = concrete(&generator, 0.27)?.1.with_mode(mode);
        check("the input", &generator, 12, |x| layer.forward(&x.reshape((3, 4))?, true))?;
    }
    Ok(())
}

/// The loss and the regularization, as functions of the logit of p.
#[test]
fn of_concrete_dropout_with_respect_to_its_p() -> Result<()> {
    let generator = Generator::philox(0);
    let parts = |logit: f64| {
        let (variables, layer) = concrete(&generator, 1.0 / (1.0 + (-logit).exp()))?;
        generator.manual_seed(1);
        let weight = numbers(12)?.reshape((4, 3))?;
        let y = layer.forward(&numbers(20)?.reshape((5, 4))?, true)?.matmul(&weight)?;
        Ok((variables.all_vars()[0].clone(), [y.sin()?.sum_all()?, layer.regularization(&weight, 4)?]))
    };
    let step = 1e-6;
    for logit in [-2.0, -0.5, 0.0, 1.0] {
        let (variable, at) = parts(logit)?;
        let (above, below): (Result<(Var, [Tensor; 2])>, Result<_>) = (parts(logit + step), parts(logit - step));
        let (above, below) = (above?.1, below?.1);
        for part in 0..2 {
            let gradient = at[part].backward()?.get(&variable).unwrap().to_vec1::<f64>()?[0];
            let difference = (above[part].to_scalar::<f64>()? - below[part].to_scalar::<f64>()?) / (2.0 * step);
            assert!((gradient - difference).abs() < 1e-7, "{logit}, {part}: {gradient} and {difference}");
            assert!(gradient.abs() > 1e-4, "{logit}, {part}: {gradient}");
        }
    }
    Ok(())
}
