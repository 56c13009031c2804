//! Data-parallel training: each rank has some rows of a batch, and the noise of these rows. So the gradient does not depend on the
//! number of ranks.
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

/// The gradient of the weights, if this many ranks share the batch out. All ranks have the same weights and the same seed.
fn gradient(ranks: usize, batch: &Tensor<2>, linear: &Linear, device: &Device) -> TensorData {
    let rows = ROWS / ranks;
    let on_rank = |rank: usize| {
        // Each rank is a process of its own, in which the call of the layer has the same number.
        let dropout: Dropout = DropoutConfig::new(0.5).init_with(&Generator::philox(42));
        let hidden = relu(linear.forward(batch.clone().narrow(0, rank * rows, rows)));
        // The noise is that of the whole batch; the rank takes its rows of it.
        let whole = dropout.draw(&[ROWS, UNITS], device).expect("in training mode");
        let part = whole.block(&[ROWS, UNITS], &[rank * rows, 0], &[rows, UNITS]).expect("rows of the batch");
        let loss = apply(hidden, part).square().sum();
        linear.weight.val().grad(&loss.backward()).expect("the loss depends on the weights")
    };
    // What an all-reduce does.
    (0..ranks).map(on_rank).reduce(|sum, gradient| sum + gradient).expect("at least one rank").into_data()
}

fn main() {
    let device = Device::flex().autodiff();
    device.seed(1);
    let linear = LinearConfig::new(16, UNITS).init(&device);
    let batch = Tensor::<2>::random([ROWS, 16], Distribution::Default, &device);
    let one = gradient(1, &batch, &linear, &device);
    for ranks in [2, 3, 4] {
        // Sums in another order are rounded otherwise; the noise is the same to the bit.
        gradient(ranks, &batch, &linear, &device).assert_approx_eq::<f32>(&one, Tolerance::rel_abs(1e-5, 1e-5));
        println!("{ranks} ranks: the gradient of one");
    }
}
