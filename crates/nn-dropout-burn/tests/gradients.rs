//! Gradients of every module are those that finite differences give, with the noise held fixed.

use burn::module::Param;
use burn::tensor::activation::softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use nn_dropout::{Config, Kind};
use nn_dropout_burn::{
    ConcreteDropout, ConcreteDropoutConfig, DropoutLayer, EmbeddingDropoutConfig, Generator, LabelDropoutConfig,
    LayerDropConfig, Mode, TokenDropoutConfig, ZoneoutConfig,
};

fn f64s<const D: usize>(numbers: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers, shape), (&Device::flex().autodiff(), DType::F64))
}

fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|i| (i as f64 * 1.7).sin() + 0.1).collect()
}

/// The gradient of `sum(sin(f(x)) * weight)` for some weights, in two ways. `f` is called with the same noise each time.
fn check<const D: usize>(name: &str, generator: &Generator, count: usize, f: impl Fn(Tensor<1>) -> Tensor<D>) {
    let loss = |x: Tensor<1>| {
        generator.manual_seed(1);
        let y = f(x);
        let weight = f64s(numbers(y.shape().num_elements()), y.dims());
        (y.sin() * weight).sum()
    };
    let at = numbers(count);
    let x = f64s(at.clone(), [count]).require_grad();
    let grads = loss(x.clone()).backward();
    let gradient: Vec<f64> = x.grad(&grads).unwrap().into_data().iter().collect();
    let step = 1e-6;
    for i in 0..count {
        let moved = |by: f64| {
            let mut moved = at.clone();
            moved[i] += by;
            loss(f64s(moved, [count])).into_scalar::<f64>()
        };
        let difference = (moved(step) - moved(-step)) / (2.0 * step);
        assert!((gradient[i] - difference).abs() < 1e-7, "{name}, element {i}: {} and {difference}", gradient[i]);
    }
    assert!(gradient.iter().any(|g| *g != 0.0), "{name}");
}

#[test]
fn of_modules_that_take_one_tensor() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor()) {
        for mode in [Mode::Train, Mode::MonteCarlo] {
            let generator = Generator::philox(0);
            let config = Config::new(kind, 0.3).unwrap();
            let layer = DropoutLayer::from_config(config, &generator).with_mode(mode);
            let name = format!("{kind}, {mode:?}");
            match kind {
                Kind::Dropout1d => check(&name, &generator, 24, |x| layer.forward(x.reshape([3, 4, 2]))),
                Kind::DropBlock3d => check(&name, &generator, 32, |x| layer.forward(x.reshape([2, 2, 2, 2, 2]))),
                // Infinite elements are for a softmax.
                Kind::DropKey => check(&name, &generator, 24, |x| softmax(layer.forward(x.reshape([2, 12])), 1)),
                _ => check(&name, &generator, 36, |x| layer.forward(x.reshape([3, 3, 2, 2]))),
            }
        }
    }
}

#[test]
fn of_modules_that_take_more() {
    let generator = Generator::philox(0);
    let zoneout = ZoneoutConfig::new(0.4).init_with(&generator);
    for module in [zoneout.clone(), zoneout.clone().with_mode(Mode::MonteCarlo), zoneout.with_mode(Mode::Eval)] {
        check("zoneout", &generator, 24, |x| {
            let [new, previous] = [0, 12].map(|start| x.clone().narrow(0, start, 12).reshape([3, 4]));
            module.forward(new, previous)
        });
    }
    let labels = LabelDropoutConfig::new(0.5).init_with(&generator);
    check("label-dropout", &generator, 15, |x| {
        labels.forward(x.clone().narrow(0, 0, 12).reshape([4, 3]), x.narrow(0, 12, 3))
    });
    let embedding = EmbeddingDropoutConfig::new(0.4).init_with(&generator);
    check("embedding-dropout", &generator, 15, |x| {
        let tokens = Tensor::<2, Int>::from_ints([[0, 4, 1], [1, 2, 1]], &Device::flex().autodiff());
        embedding.forward(x.reshape([5, 3]), tokens)
    });
    let tokens = TokenDropoutConfig::new(0.4).init_with(&generator);
    check("token-dropout", &generator, 30, |x| tokens.keep_tokens(x.reshape([2, 5, 3]), 1).0);
    let layer_drop = LayerDropConfig::new(0.5).init_with(&generator);
    check("layer-drop", &generator, 4, |x| {
        let layers = 0..6;
        layers.fold(x, |x, _| layer_drop.forward(x, |x| x * 1.5))
    });
}

fn concrete(generator: &Generator, p_logit: Tensor<1>, mode: Mode) -> ConcreteDropout {
    let config = ConcreteDropoutConfig::new().with_weight_regularizer(0.03).with_dropout_regularizer(0.2);
    let mut module = config.init_with(generator, &Device::flex().autodiff()).with_mode(mode);
    module.p_logit = Param::from_tensor(p_logit);
    module
}

#[test]
fn of_concrete_dropout() {
    for mode in [Mode::Train, Mode::MonteCarlo] {
        let generator = Generator::philox(0);
        let module = concrete(&generator, f64s(vec![-1.0], [1]), mode);
        check("the input", &generator, 12, |x| module.forward(x.reshape([3, 4])));
    }
}

/// The loss and the regularization, as functions of the logit of p.
#[test]
fn of_concrete_dropout_with_respect_to_its_p() {
    let generator = Generator::philox(0);
    let loss = |logit: f64| {
        generator.manual_seed(1);
        let module = concrete(&generator, f64s(vec![logit], [1]), Mode::Train);
        let weight = f64s(numbers(12), [4, 3]);
        let y = module.forward(f64s(numbers(20), [5, 4])).matmul(weight.clone());
        (module.p_logit.val(), y.sin().sum(), module.regularization(weight, 4))
    };
    for logit in [-2.0, -0.5, 0.0, 1.0] {
        let step = 1e-6;
        let [above, below] = [step, -step].map(|by| {
            let (_, loss, regularization) = loss(logit + by);
            [loss, regularization].map(|loss| loss.into_scalar::<f64>())
        });
        for part in 0..2 {
            let (p_logit, loss, regularization) = loss(logit);
            let grads = [loss, regularization][part].backward();
            let gradient: f64 = p_logit.grad(&grads).unwrap().into_scalar();
            let difference = (above[part] - below[part]) / (2.0 * step);
            assert!((gradient - difference).abs() < 1e-7, "{logit}, {part}: {gradient} and {difference}");
            assert!(gradient.abs() > 1e-4, "{logit}, {part}: {gradient}");
        }
    }
}
