//! candle: a perceptron that reads handwritten digits, from a seed: weights, order and masks. So two runs end with the same bytes,
//! which candle alone cannot do on a CPU.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example candle_mlp
//! ```

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, Linear, Optimizer, ParamsAdamW, VarMap, linear};
use nn_dropout_candle::{Dropout, default_generator, manual_seed, seeded_var_builder};
use nn_dropout_examples::{accuracy_in_candle, batches, digits, in_candle};

struct Mlp {
    first: Linear,
    second: Linear,
    // candle_nn::Dropout would stand here too.
    dropout: Dropout,
}

impl Mlp {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = self.dropout.forward(&self.first.forward(x)?.relu()?, train)?;
        self.second.forward(&hidden)
    }
}

/// The accuracy on the digits that were not for training, and all weights and biases.
fn train(seed: u64) -> Result<(f64, Vec<Vec<f32>>)> {
    manual_seed(seed);
    let (train, validation) = digits(4);
    let variables = VarMap::new();
    let vb = seeded_var_builder(&variables, &default_generator(), DType::F32, &Device::Cpu);
    let model = Mlp {
        first: linear(64, 256, vb.pp("first"))?,
        second: linear(256, 10, vb.pp("second"))?,
        dropout: Dropout::new(0.5),
    };
    // A map has no order, and the optimiser needs none.
    let mut optimizer = AdamW::new(variables.all_vars(), ParamsAdamW { lr: 1e-3, ..ParamsAdamW::default() })?;
    for epoch in 0..15 {
        for batch in batches(train.len(), 32, seed, epoch) {
            let (x, labels) = in_candle(&train, &batch)?;
            optimizer.backward_step(&cross_entropy(&model.forward(&x, true)?, &labels)?)?;
        }
    }
    let all: Vec<usize> = (0..validation.len()).collect();
    let (x, labels) = in_candle(&validation, &all)?;
    let right = accuracy_in_candle(&model.forward(&x, false)?, &labels)?;
    let parameters = [&model.first, &model.second].into_iter().flat_map(|layer| [Some(layer.weight()), layer.bias()]);
    let weights = parameters.flatten().map(|tensor| tensor.flatten_all()?.to_vec1()).collect::<Result<_>>()?;
    Ok((right, weights))
}

fn main() -> Result<()> {
    let (accuracy, weights) = train(42)?;
    println!("validation accuracy {:.1} %", 100.0 * accuracy);
    assert!(accuracy > 0.9);
    assert!(train(42)? == (accuracy, weights.clone()));
    assert!(train(43)?.1 != weights);
    println!("a second run ended with the same bytes, one with another seed with others");
    Ok(())
}
