//! A layer of any kind, and what modules do in each mode.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_dropout::{Config, Kind, Layer};
use nn_dropout_burn::{DropoutConfig, DropoutLayer, Generator, Mode};

fn ones<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::ones(shape, device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// A layer of each kind that takes one tensor.
fn configs() -> impl Iterator<Item = Config> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor());
    kinds.map(|kind| Config::new(kind, 0.3).unwrap())
}

/// A shape that a layer of this kind takes.
fn shape(kind: Kind) -> Vec<usize> {
    match kind {
        Kind::Dropout1d => vec![4, 5, 6],
        Kind::Dropout3d | Kind::DropBlock3d => vec![4, 3, 8, 8, 8],
        _ => vec![4, 2, 12, 12],
    }
}

fn forward(layer: &DropoutLayer, shape: &[usize], device: &Device) -> Vec<f32> {
    fn of<const D: usize>(layer: &DropoutLayer, shape: &[usize], device: &Device) -> Vec<f32> {
        values(layer.forward(ones::<D>(shape.try_into().unwrap(), device)))
    }
    match shape.len() {
        3 => of::<3>(layer, shape, device),
        4 => of::<4>(layer, shape, device),
        _ => of::<5>(layer, shape, device),
    }
}

#[test]
fn a_layer_of_any_kind_draws_what_the_library_draws() {
    for config in configs() {
        let shape = shape(config.kind());
        let layer = DropoutLayer::from_config(config.clone(), &Generator::philox(42));
        assert_eq!(layer.config(), &config);
        let other = Layer::from_config(config.clone(), &Generator::philox(42));
        for _ in 0..2 {
            let draw = other.draw(&shape).unwrap().unwrap();
            let expected = draw.forward_to_vec(&vec![1f32; shape.iter().product()]).unwrap();
            assert_eq!(forward(&layer, &shape, &Device::flex().autodiff()), expected, "{config}");
        }
    }
}

#[test]
fn in_monte_carlo_mode_samples_share_the_noise_on_any_device() {
    for config in configs() {
        let kind = config.kind();
        let shape = shape(kind);
        let run = |samples, device: Device| {
            let layer = DropoutLayer::from_config(config.clone(), &Generator::philox(7)).with_mode(Mode::MonteCarlo);
            let mut shape = shape.clone();
            shape[0] = samples;
            forward(&layer.freeze(), &shape, &device)
        };
        let four = run(4, Device::flex());
        assert_eq!(four, run(4, Device::flex().autodiff()), "{kind}");
        assert!(four.iter().any(|y| *y != 1.0), "{kind}");
        // A weight has no samples.
        if matches!(kind, Kind::DropConnect | Kind::EmbeddingDropout) {
            continue;
        }
        let one = run(1, Device::flex());
        assert!(four.chunks(one.len()).all(|sample| sample == one), "{kind}");
    }
}

#[test]
fn eval_mode_is_the_identity_and_draws_nothing() {
    let generator = Generator::philox(42);
    let layer = DropoutConfig::new(0.5).init_with(&generator).with_mode(Mode::Eval);
    let state = generator.state();
    assert_eq!(values(layer.forward(ones([8, 8], &Device::flex().autodiff()))), [1.0; 64]);
    assert_eq!(generator.state(), state);
    let training = layer.with_mode(Mode::Train);
    assert_ne!(values(training.forward(ones([8, 8], &Device::flex().autodiff()))), [1.0; 64]);
    assert_eq!(values(training.forward(ones([8, 8], &Device::flex()))), [1.0; 64]);
}

#[test]
fn a_clone_in_another_mode_shares_the_count_of_steps() {
    let generator = Generator::philox(42);
    let training = DropoutConfig::new(0.5).init_with(&generator);
    let monte_carlo = training.clone().with_mode(Mode::MonteCarlo);
    let first = values(monte_carlo.forward(ones([1, 64], &Device::flex())));
    let second = values(training.forward(ones([1, 64], &Device::flex().autodiff())));
    assert_ne!(first, second);
    generator.manual_seed(42);
    assert_eq!(values(training.forward(ones([1, 64], &Device::flex().autodiff()))), first);
}

#[test]
fn prints_what_it_was_made_from() {
    let print = |config: Config| DropoutLayer::from_config(config, &Generator::philox(42)).to_string();
    assert_eq!(print(Config::new(Kind::AlphaDropout, 0.5).unwrap()), "AlphaDropout {prob: 0.5}");
    assert_eq!(print(Config::new(Kind::GaussianNoise, 0.5).unwrap()), "GaussianNoise {std: 0.5}");
    let blocks = Config::new(Kind::DropBlock2d, 0.5).unwrap().with_block_size(3).unwrap();
    assert_eq!(print(blocks), "DropBlock2d {prob: 0.5, block_size: 3}");
    let locked = DropoutConfig::new(0.5).with_shared_axes(Some(vec![1])).init().freeze();
    assert_eq!(locked.to_string(), "Dropout {prob: 0.5, shared_axes: [1], training: disabled}");
}

#[test]
#[should_panic(expected = "neftune-noise, drop-connect, embedding-dropout, token-dropout, drop-key, but got zoneout")]
fn a_kind_that_takes_more_than_one_tensor_is_refused() {
    DropoutLayer::from_config(Config::new(Kind::Zoneout, 0.5).unwrap(), &Generator::philox(42));
}
