//! candle: a small convolutional network that reads handwritten digits. `DropBlock2d` drops regions of the first feature maps,
//! `Dropout2d` whole maps of the second.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example candle_cnn
//! ```

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, Conv2d, Conv2dConfig, Linear, Optimizer, ParamsAdamW, VarMap, conv2d, linear};
use nn_dropout_candle::{DropBlock2d, Dropout2d, default_generator, manual_seed, seeded_var_builder};
use nn_dropout_examples::{accuracy_in_candle, batches, digits, in_candle};

struct Cnn {
    first: Conv2d,
    second: Conv2d,
    output: Linear,
    drop_block: DropBlock2d,
    dropout: Dropout2d,
}

impl Cnn {
    /// Logits of `[image, 64]`.
    fn forward(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let images = images.reshape(((), 1, 8, 8))?;
        let maps = self.drop_block.forward(&self.first.forward(&images)?.relu()?, train)?;
        let maps = self.dropout.forward(&self.second.forward(&maps.max_pool2d(2)?)?.relu()?, train)?;
        self.output.forward(&maps.flatten_from(1)?)
    }
}

fn main() -> Result<()> {
    manual_seed(42);
    let (train, validation) = digits(4);
    let variables = VarMap::new();
    let vb = seeded_var_builder(&variables, &default_generator(), DType::F32, &Device::Cpu);
    let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
    let model = Cnn {
        first: conv2d(1, 8, 3, padded, vb.pp("first"))?,
        second: conv2d(8, 16, 3, padded, vb.pp("second"))?,
        output: linear(16 * 4 * 4, 10, vb.pp("output"))?,
        drop_block: DropBlock2d::new(0.1).with_block_size(2),
        dropout: Dropout2d::new(0.2),
    };
    let mut optimizer = AdamW::new(variables.all_vars(), ParamsAdamW { lr: 3e-3, ..ParamsAdamW::default() })?;
    for epoch in 0..20 {
        for batch in batches(train.len(), 32, 42, epoch) {
            let (x, labels) = in_candle(&train, &batch)?;
            optimizer.backward_step(&cross_entropy(&model.forward(&x, true)?, &labels)?)?;
        }
    }
    let all: Vec<usize> = (0..validation.len()).collect();
    let (x, labels) = in_candle(&validation, &all)?;
    let right = accuracy_in_candle(&model.forward(&x, false)?, &labels)?;
    println!("{} and {}: validation accuracy {:.1} %", model.drop_block, model.dropout, 100.0 * right);
    assert!(right > 0.9);
    Ok(())
}
