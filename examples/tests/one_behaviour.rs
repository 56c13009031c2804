//! The same layer with the same seed makes the same noise in the library, in Burn and in candle.

use burn::tensor::{Tensor as BurnTensor, TensorData};
use candle_core::{Device, Tensor};
use nn_dropout::{Config, Generator, Kind, Layer, Mode};

/// A shape that the kind takes.
fn shape(kind: Kind) -> Vec<usize> {
    match kind {
        Kind::Dropout1d => vec![3, 8, 12],
        Kind::DropBlock3d | Kind::Dropout3d => vec![3, 4, 6, 6, 6],
        _ => vec![3, 4, 12, 12],
    }
}

fn in_burn(layer: &nn_dropout_burn::DropoutLayer, x: Vec<f32>, shape: &[usize]) -> Vec<f32> {
    fn forward<const D: usize>(layer: &nn_dropout_burn::DropoutLayer, x: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        let device = burn::tensor::Device::flex().autodiff();
        let x = BurnTensor::<D>::from_data(TensorData::new(x, shape), &device);
        layer.forward(x).into_data().iter().collect()
    }
    match shape.len() {
        3 => forward::<3>(layer, x, shape),
        4 => forward::<4>(layer, x, shape),
        _ => forward::<5>(layer, x, shape),
    }
}

#[test]
fn the_same_seed_is_the_same_noise_everywhere() {
    let generators: [fn(u64) -> Generator; 3] = [Generator::philox, Generator::torch, Generator::jax];
    for kind in Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor()) {
        for (generator, mode) in generators.into_iter().flat_map(|of| [(of, Mode::Train), (of, Mode::MonteCarlo)]) {
            let (config, shape) = (Config::new(kind, 0.3).unwrap(), shape(kind));
            let mut layer = Layer::from_config(config.clone(), &generator(42));
            layer.set_mode(mode);
            let in_burns = nn_dropout_burn::DropoutLayer::from_config(config.clone(), &generator(42)).with_mode(mode);
            let in_candles = nn_dropout_candle::DropoutLayer::from_config(config, &generator(42)).unwrap();
            let in_candles = in_candles.with_mode(mode);
            // Three calls, each with noise of its own.
            for call in 0..3 {
                let x: Vec<f32> = (0..shape.iter().product()).map(|i| (i as f32 * 1.7).sin()).collect();
                let Ok(draw) = layer.draw(&shape) else { continue };
                let expected = draw.map_or_else(|| x.clone(), |draw| draw.forward_to_vec(&x).unwrap());
                let tensor = Tensor::from_slice(&x, &shape[..], &Device::Cpu).unwrap();
                let candles = in_candles.forward(&tensor, true).unwrap().flatten_all().unwrap();
                let of = format!("{kind}, {mode:?}, call {call}");
                assert!(in_burn(&in_burns, x, &shape) == expected, "Burn: {of}");
                assert!(candles.to_vec1::<f32>().unwrap() == expected, "candle: {of}");
            }
        }
    }
}
