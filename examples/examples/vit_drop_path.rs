//! A small vision transformer with stochastic depth: `DropPath` drops whole branches of whole samples, the more often the deeper.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example vit_drop_path
//! ```

use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Distribution, Tensor};
use nn_dropout_burn::{DropPath, DropPathConfig, manual_seed};
use nn_dropout_examples::{accuracy_in_burn, batches, digits, in_burn};

const WIDTH: usize = 32;
const HEADS: usize = 4;
/// An image of 8 x 8 pixels is 16 patches of 2 x 2.
const PATCHES: usize = 16;
const DEPTH: usize = 4;

#[derive(Module, Debug)]
struct Vit {
    embed: Linear,
    positions: Param<Tensor<3>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

#[derive(Module, Debug)]
struct Block {
    norm_1: LayerNorm,
    attention: [Linear; 2],
    norm_2: LayerNorm,
    mlp: [Linear; 2],
    drop_path: DropPath,
}

impl Vit {
    fn new(p: f64, device: &Device) -> Self {
        // From 0 in the first block to p in the last.
        let rates = nn_dropout::DropPath::rates(p, DEPTH).expect("p is a probability");
        let positions = Tensor::random([1, PATCHES, WIDTH], Distribution::Normal(0.0, 1.0), device);
        Self {
            embed: LinearConfig::new(4, WIDTH).init(device),
            positions: Param::from_tensor(positions),
            blocks: rates.into_iter().map(|rate| Block::new(rate, device)).collect(),
            norm: LayerNormConfig::new(WIDTH).init(device),
            head: LinearConfig::new(WIDTH, 10).init(device),
        }
    }

    /// Logits of `[image, 64]`.
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let [count, _] = images.dims();
        let patches = images.reshape([count, 4, 2, 4, 2]).swap_dims(2, 3).reshape([count, PATCHES, 4]);
        let x = self.embed.forward(patches) + self.positions.val();
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.forward(self.norm.forward(x).mean_dim(1).squeeze_dim::<2>(1))
    }
}

impl Block {
    fn new(p: f64, device: &Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            norm_1: LayerNormConfig::new(WIDTH).init(device),
            attention: [linear(WIDTH, 3 * WIDTH), linear(WIDTH, WIDTH)],
            norm_2: LayerNormConfig::new(WIDTH).init(device),
            mlp: [linear(WIDTH, 2 * WIDTH), linear(2 * WIDTH, WIDTH)],
            drop_path: DropPathConfig::new(p).init(),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.drop_path.forward(self.attend(self.norm_1.forward(x)));
        let hidden = gelu(self.mlp[0].forward(self.norm_2.forward(x.clone())));
        x + self.drop_path.forward(self.mlp[1].forward(hidden))
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        let [count, ..] = x.dims();
        let heads = |x: Tensor<3>| x.reshape([count, PATCHES, HEADS, WIDTH / HEADS]).swap_dims(1, 2);
        let parts: [Tensor<3>; 3] = self.attention[0].forward(x).chunk(3, 2).try_into().expect("three of them");
        let [query, key, value] = parts.map(heads);
        let weights = softmax(query.matmul(key.transpose()) / ((WIDTH / HEADS) as f64).sqrt(), 3);
        self.attention[1].forward(weights.matmul(value).swap_dims(1, 2).reshape([count, PATCHES, WIDTH]))
    }
}

fn main() {
    let device = Device::flex();
    let autodiff = device.clone().autodiff();
    device.seed(42);
    manual_seed(42);
    let (train, validation) = digits(2);
    let mut model = Vit::new(0.2, &autodiff);
    let mut optimizer = AdamWConfig::new().init();
    let epochs = 15;
    for epoch in 0..epochs {
        let learning_rate = 3e-3 * (1.0 - epoch as f64 / epochs as f64);
        for batch in batches(train.len(), 32, 42, epoch) {
            let (x, labels) = in_burn(&train, &batch, &autodiff);
            let loss = CrossEntropyLossConfig::new().init(&autodiff).forward(model.forward(x), labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(learning_rate, model, gradients);
        }
    }
    let all: Vec<usize> = (0..validation.len()).collect();
    let (x, labels) = in_burn(&validation, &all, &device);
    let right = accuracy_in_burn(model.valid().forward(x), labels);
    for block in &model.blocks {
        print!("DropPath(p={:.2}) ", block.drop_path.prob());
    }
    println!("\nvalidation accuracy {:.1} %", 100.0 * right);
    assert!(right > 0.9);
}
