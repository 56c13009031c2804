//! Data-parallel training: each rank has some rows of a batch, and the noise of these rows. So neither the outputs nor the
//! gradient depend on the number of ranks.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example shards
//! ```

use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor, TensorData, Tolerance};
use nn_dropout_burn::{Dropout, DropoutConfig, Generator, apply};

const ROWS: usize = 12;
const UNITS: usize = 64;

/// The outputs and the gradient of the weights, if this many ranks share the batch out. All ranks have the same weights and the
/// same seed.
fn step(ranks: usize, batch: &Tensor<2>, linear: &Linear, device: &Device) -> [TensorData; 2] {
    let rows = ROWS / ranks;
    let on_rank = |rank: usize| {
        // Each rank is a process of its own, in which the call of the layer has the same number.
        let dropout: Dropout = DropoutConfig::new(0.5).init_with(&Generator::philox(42));
        let hidden = relu(linear.forward(batch.clone().narrow(0, rank * rows, rows)));
        // The noise is that of the whole batch; the rank takes its rows of it.
        let whole = dropout.draw(&[ROWS, UNITS], device).expect("in training mode");
        let part = whole.block(&[ROWS, UNITS], &[rank * rows, 0], &[rows, UNITS]).expect("rows of the batch");
        let outputs = apply(hidden, part);
        let gradients = outputs.clone().square().sum().backward();
        (outputs, linear.weight.val().grad(&gradients).expect("the loss depends on the weights"))
    };
    let (outputs, gradients): (Vec<_>, Vec<_>) = (0..ranks).map(on_rank).unzip();
    // What an all-reduce does.
    let sum = gradients.into_iter().reduce(|sum, gradient| sum + gradient).expect("at least one rank");
    [Tensor::cat(outputs, 0).into_data(), sum.into_data()]
}

fn main() {
    let device = Device::flex().autodiff();
    device.seed(1);
    let linear = LinearConfig::new(16, UNITS).init(&device);
    let batch = Tensor::<2>::random([ROWS, 16], Distribution::Default, &device);
    let [outputs, gradient] = step(1, &batch, &linear, &device);
    // One rank's part is the whole: what the layer's own `forward` gives.
    let dropout = DropoutConfig::new(0.5).init_with(&Generator::philox(42));
    assert_eq!(dropout.forward(relu(linear.forward(batch.clone()))).into_data(), outputs);
    for ranks in [2, 3, 4] {
        // The noise is the same to the bit. Sums in another order are rounded otherwise.
        let parts = step(ranks, &batch, &linear, &device);
        for (part, whole) in parts.iter().zip([&outputs, &gradient]) {
            part.assert_approx_eq::<f32>(whole, Tolerance::rel_abs(1e-5, 1e-5));
        }
        println!("{ranks} ranks: the outputs and the gradient of one");
    }
}
