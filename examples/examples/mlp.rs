//! A perceptron that reads handwritten digits, with dropout and without. Every fifth label of the training part is wrong. Without
//! dropout the network learns the wrong ones by heart too.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example mlp
//! ```

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_dropout_burn::{Dropout, DropoutConfig, manual_seed};
use nn_dropout_examples::{accuracy_in_burn, batches, digits, in_burn};

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
    output: Linear,
    // burn::nn::Dropout would stand here too.
    dropout: Dropout,
}

impl Mlp {
    fn new(p: f64, device: &Device) -> Self {
        Self {
            first: LinearConfig::new(64, 256).init(device),
            second: LinearConfig::new(256, 256).init(device),
            output: LinearConfig::new(256, 10).init(device),
            dropout: DropoutConfig::new(p).init(),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.dropout.forward(relu(self.first.forward(x)));
        let x = self.dropout.forward(relu(self.second.forward(x)));
        self.output.forward(x)
    }
}

/// The accuracies of a network on both parts.
fn train(p: f64, seed: u64) -> [f64; 2] {
    let device = Device::flex();
    let autodiff = device.clone().autodiff();
    device.seed(seed); // the weights
    manual_seed(seed); // the masks
    let (mut train, validation) = digits(4);
    for digit in train.iter_mut().step_by(5) {
        digit.label = (digit.label + 1) % 10;
    }
    let mut model = Mlp::new(p, &autodiff);
    let mut optimizer = AdamWConfig::new().init();
    for epoch in 0..40 {
        for batch in batches(train.len(), 32, seed, epoch) {
            let (x, labels) = in_burn(&train, &batch, &autodiff);
            let loss = CrossEntropyLossConfig::new().init(&autodiff).forward(model.forward(x), labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(1e-3, model, gradients);
        }
    }
    // Without autodiff, dropout does nothing.
    let model = model.valid();
    [&train, &validation].map(|part| {
        let all: Vec<usize> = (0..part.len()).collect();
        let (x, labels) = in_burn(part, &all, &device);
        accuracy_in_burn(model.forward(x), labels)
    })
}

fn main() {
    println!("p    training  validation    (means of three seeds)");
    let [without, with] = [0.0, 0.5].map(|p| {
        let runs: Vec<[f64; 2]> = (0..3).map(|seed| train(p, seed)).collect();
        let [training, validation] = [0, 1].map(|part| runs.iter().map(|run| run[part]).sum::<f64>() / 3.0);
        println!("{p:.1}  {:6.1} %  {:8.1} %", 100.0 * training, 100.0 * validation);
        validation
    });
    assert!(with > without + 0.02);
}
