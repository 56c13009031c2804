//! Modules that take one tensor, with the masks of each generator: outputs and gradients are those of the draw that the library's
//! layer makes, on every backend.

#![expect(deprecated, reason = "NdArray stands in for the backends that have no kernel of ours")]

use burn::config::Config as _;
use burn::tensor::{DType, Device, Tensor, TensorData};
use nn_dropout::{Config, Draw, DrawError, Kind, Layer};
use nn_dropout_burn::{
    AlphaDropoutConfig, DropBlock2dConfig, DropBlock3dConfig, DropConnectConfig, DropKeyConfig, DropPathConfig,
    Dropout1dConfig, Dropout2dConfig, Dropout3dConfig, DropoutConfig, FeatureAlphaDropoutConfig, GaussianDropoutConfig,
    GaussianNoiseConfig, Generator, NeftuneNoiseConfig, PathMode, TokenDropoutConfig,
};

fn generators() -> [Generator; 3] {
    [Generator::philox(42), Generator::torch(42), Generator::jax(42)]
}

fn check<const D: usize>(name: &str, shape: [usize; D], forward: impl Fn(Tensor<D>) -> Tensor<D>, draw: &Draw) {
    // With all of their digits in use, so that each rounding counts.
    let numbers = |step: f32| (0..shape.iter().product()).map(|i| (i as f32 * step).sin() * 2.0).collect::<Vec<_>>();
    let (x, dy) = (numbers(1.7), numbers(2.3));
    let (mut y, mut dx) = (x.clone(), x.clone());
    draw.forward(&x, &mut y).unwrap();
    draw.backward(&dy, &mut dx).unwrap();

    let tensor = |data: &[f32], device: &Device| Tensor::<D>::from_data(TensorData::new(data.to_vec(), shape), device);
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        let input = tensor(&x, &device).require_grad();
        let output = forward(input.clone());
        // Elements that are dropped before a softmax are infinite: their product would be too.
        let finite = output.clone().mask_fill(output.clone().is_inf(), 0.0);
        let grads = (finite * tensor(&dy, &device)).sum().backward();
        assert_eq!(output.to_data().to_vec::<f32>().unwrap(), y, "{name}, {device:?}");
        assert_eq!(input.grad(&grads).unwrap().to_data().to_vec::<f32>().unwrap(), dx, "{name}, gradient, {device:?}");
    }
}

macro_rules! agree {
    ($($test:ident: $config:expr, $kind:ident $(with $option:ident($value:expr))*, $shape:expr;)*) => {$(
        #[test]
        fn $test() {
            let config = Config::new(Kind::$kind, 0.3).unwrap();
            $(let config = config.$option($value).unwrap();)*
            for (generator, other) in generators().into_iter().zip(generators()) {
                let layer = Layer::from_config(config.clone(), &other);
                let module = $config.init_with(&generator);
                assert_eq!(module.config(), &config);
                for _ in 0..3 {
                    let draw = match layer.draw(&$shape) {
                        Err(DrawError::Numbers(_)) => continue,
                        draw => draw.unwrap().unwrap(),
                    };
                    // On one device after the other, with the same noise.
                    let state = generator.state();
                    let forward = |x| {
                        generator.set_state(state.clone());
                        module.forward(x)
                    };
                    check(stringify!($kind), $shape, forward, &draw);
                }
                assert_eq!(generator.state(), other.state());
            }
        }
    )*};
}

agree! {
    dropout: DropoutConfig::new(0.3), Dropout, [3, 5, 7];
    locked_dropout: DropoutConfig::new(0.3).with_shared_axes(Some(vec![1])), Dropout with with_shared_axes(vec![1]), [3, 5, 7];
    alpha_dropout: AlphaDropoutConfig::new(0.3), AlphaDropout, [3, 5, 7];
    dropout1d: Dropout1dConfig::new(0.3), Dropout1d, [3, 5, 7];
    dropout2d: Dropout2dConfig::new(0.3), Dropout2d, [3, 5, 4, 2];
    dropout3d: Dropout3dConfig::new(0.3), Dropout3d, [9, 2, 3, 4];
    feature_alpha_dropout: FeatureAlphaDropoutConfig::new(0.3), FeatureAlphaDropout, [4, 6, 3];
    drop_path: DropPathConfig::new(0.3), DropPath, [40, 2];
    drop_path_of_a_batch: DropPathConfig::new(0.3).with_mode(PathMode::Batch), DropPath with with_mode(PathMode::Batch), [4, 3];
    drop_path_without_scaling: DropPathConfig::new(0.3).with_scale_by_keep(false), DropPath with with_scale_by_keep(false), [9, 3];
    drop_block2d: DropBlock2dConfig::new(0.3).with_block_size(3), DropBlock2d with with_block_size(3), [2, 3, 9, 8];
    drop_block2d_of_the_usual_size: DropBlock2dConfig::new(0.3), DropBlock2d, [2, 3, 20, 20];
    drop_block3d: DropBlock3dConfig::new(0.3).with_block_size(2), DropBlock3d with with_block_size(2), [2, 1, 6, 5, 4];
    gaussian_dropout: GaussianDropoutConfig::new(0.3), GaussianDropout, [3, 5, 7];
    gaussian_noise: GaussianNoiseConfig::new(0.3), GaussianNoise, [3, 5, 7];
    neftune_noise: NeftuneNoiseConfig::new(0.3), NeftuneNoise, [3, 5, 7];
    drop_connect: DropConnectConfig::new(0.3), DropConnect, [8, 9];
    token_dropout: TokenDropoutConfig::new(0.3), TokenDropout, [3, 8, 4];
    drop_key: DropKeyConfig::new(0.3), DropKey, [2, 5, 8];
}

#[test]
fn scores_that_were_infinite_before_become_no_numbers_on_no_backend() {
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        let drop_key = DropKeyConfig::new(0.5).init_with(&Generator::philox(42));
        // As a causal mask makes them.
        let scores = Tensor::<1>::full([64], f32::NEG_INFINITY, &device);
        assert!(drop_key.forward(scores).into_data().iter::<f32>().all(|score| score == f32::NEG_INFINITY));
    }
}

#[test]
fn values_are_rounded_to_the_type_alike_on_every_backend() {
    for config in [Config::new(Kind::GaussianDropout, 0.3), Config::new(Kind::AlphaDropout, 0.3)] {
        let layer = || nn_dropout_burn::DropoutLayer::from_config(config.clone().unwrap(), &Generator::philox(42));
        let [flex, other] = [Device::flex(), Device::ndarray()].map(|device| {
            let x = (0..200).map(|i| f64::from(i) / 7.0 - 14.0).collect();
            let x = Tensor::<1>::from_data(TensorData::new(x, [200]), (&device.autodiff(), DType::F64));
            layer().forward(x).into_data()
        });
        flex.assert_eq(&other, true);
    }
}

#[test]
fn a_configuration_that_burn_saved_is_read() {
    let burns = burn::nn::DropoutConfig::new(0.5).to_string();
    let ours = DropoutConfig::load_binary(burns.as_bytes()).unwrap();
    assert_eq!((ours.prob, ours.shared_axes), (0.5, None));
    let burns = burn::nn::GaussianNoiseConfig::new(0.5).to_string();
    assert_eq!(GaussianNoiseConfig::load_binary(burns.as_bytes()).unwrap().std, 0.5);
}

#[test]
#[should_panic(expected = "dropout1d: Expected 2D or 3D input, but received a 4D input.")]
fn wrong_shapes_are_refused_in_the_words_of_pytorch() {
    let x = Tensor::<4>::ones([1, 2, 3, 4], &Device::flex().autodiff());
    Dropout1dConfig::new(0.5).init().forward(x);
}
