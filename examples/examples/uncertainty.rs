//! Monte Carlo dropout: with dropout on, every prediction is that of another network. Where they disagree the network does not know.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example uncertainty
//! ```

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor};
use nn_dropout::MonteCarlo;
use nn_dropout_burn::{Dropout, DropoutConfig, Generator, Mode};
use nn_dropout_examples::{Digit, batches, digits, in_burn};

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
    dropout: Dropout,
}

impl Mlp {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(self.dropout.forward(relu(self.first.forward(x))))
    }
}

/// The mean of 50 predictions, and how uncertain each is: its entropy, in nats.
fn predict(model: &Mlp, generator: &Generator, digits: &[Digit], device: &Device) -> (Vec<f64>, Vec<f64>) {
    let all: Vec<usize> = (0..digits.len()).collect();
    let (x, _) = in_burn(digits, &all, device);
    // The 50 networks are the same in every call.
    generator.manual_seed(7);
    let mut statistics = MonteCarlo::new(10);
    for _ in 0..50 {
        let sample: Vec<f32> = softmax(model.forward(x.clone()), 1).into_data().iter().collect();
        statistics.add(&sample).expect("all samples are alike");
    }
    (statistics.mean().to_vec(), statistics.entropy())
}

fn main() {
    let device = Device::flex();
    let autodiff = device.clone().autodiff();
    device.seed(42);
    let generator = Generator::philox(42);
    let (train, validation) = digits(4);
    let mut model = Mlp {
        first: LinearConfig::new(64, 256).init(&autodiff),
        second: LinearConfig::new(256, 10).init(&autodiff),
        dropout: DropoutConfig::new(0.5).init_with(&generator),
    };
    let mut optimizer = AdamWConfig::new().init();
    for epoch in 0..20 {
        for batch in batches(train.len(), 32, 42, epoch) {
            let (x, labels) = in_burn(&train, &batch, &autodiff);
            let loss = CrossEntropyLossConfig::new().init(&autodiff).forward(model.forward(x), labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(1e-3, model, gradients);
        }
    }
    let mut model = model.valid();
    // Dropout stays on, without autodiff too.
    model.dropout = model.dropout.with_mode(Mode::MonteCarlo);

    let (means, entropies) = predict(&model, &generator, &validation, &device);
    let guess = |row: usize| (0..10).max_by(|&a, &b| means[10 * row + a].total_cmp(&means[10 * row + b])).expect("ten");
    let mut order: Vec<usize> = (0..validation.len()).collect();
    order.sort_by(|&a, &b| entropies[a].total_cmp(&entropies[b]));
    let accuracy = |rows: &[usize]| {
        rows.iter().filter(|&&row| guess(row) as i64 == validation[row].label).count() as f64 / rows.len() as f64
    };
    let (sure, unsure) = order.split_at(order.len() * 9 / 10);
    println!("right where it is sure, nine of ten digits: {:.1} %", 100.0 * accuracy(sure));
    println!("right where it is not sure: {:.1} %", 100.0 * accuracy(unsure));
    let row = order[order.len() - 1];
    println!("the least sure of all, a {} ({:.2} nats):", validation[row].label, entropies[row]);
    for pixels in validation[row].pixels.chunks(8) {
        println!(
            "    {}",
            pixels.iter().map(|&pixel| [' ', '.', 'o', '#'][(pixel * 3.99) as usize]).collect::<String>()
        );
    }
    assert!(accuracy(sure) > accuracy(unsure) + 0.2);

    // All digits of a batch go through the same networks, so a prediction does not depend on the batch.
    let (alone, _) = predict(&model, &generator, &validation[5..6], &device);
    assert!(alone.iter().zip(&means[50..60]).all(|(alone, in_batch)| (alone - in_batch).abs() < 1e-6));
}
