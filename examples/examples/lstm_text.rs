//! An LSTM that tells English from Rust, by the characters of a line, with variational dropout: what is dropped stays dropped in
//! all time steps. Words of the embedding, its outputs, the recurrent weights and the LSTM's outputs are dropped.
//!
//! Gal and Ghahramani, NeurIPS 2016; Merity, Keskar and Socher, ICLR 2018. The text is this repository.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example lstm_text
//! ```

use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_dropout_burn::{
    DropConnect, DropConnectConfig, Dropout, DropoutConfig, EmbeddingDropout, EmbeddingDropoutConfig, manual_seed,
};
use nn_dropout_examples::{accuracy_in_burn, batches};

/// So many characters of a line are looked at.
const LENGTH: usize = 24;

#[derive(Module, Debug)]
struct Classifier {
    characters: Embedding,
    lstm: Lstm,
    output: Linear,
    drop_characters: EmbeddingDropout,
    drop_weights: DropConnect,
    drop_inputs: Dropout,
    drop_outputs: Dropout,
}

impl Classifier {
    fn new(device: &Device) -> Self {
        // Axis 1 is time.
        let locked = || DropoutConfig::new(0.2).with_shared_axes(Some(vec![1])).init();
        Self {
            characters: EmbeddingConfig::new(128, 16).init(device),
            lstm: LstmConfig::new(16, 32, true).init(device),
            output: LinearConfig::new(32, 2).init(device),
            drop_characters: EmbeddingDropoutConfig::new(0.1).init(),
            drop_weights: DropConnectConfig::new(0.2).init(),
            drop_inputs: locked(),
            drop_outputs: locked(),
        }
    }

    /// Logits of `[line, character]`.
    fn forward(&self, lines: Tensor<2, Int>) -> Tensor<2> {
        let x = self.drop_inputs.forward(self.drop_characters.forward(self.characters.weight.val(), lines));
        // One draw for all time steps of a call. The gradient goes through it to the weights.
        let dropped = |weight: Param<Tensor<2>>| weight.map(|weight| self.drop_weights.forward(weight));
        let mut lstm = self.lstm.clone();
        let gates = [Some(&mut lstm.input_gate), lstm.forget_gate.as_mut(), Some(&mut lstm.output_gate)];
        for gate in gates.into_iter().flatten().chain([&mut lstm.cell_gate]) {
            gate.hidden_transform.weight = dropped(gate.hidden_transform.weight.clone());
        }
        let (states, _) = lstm.forward(x, None);
        self.output.forward(self.drop_outputs.forward(states).mean_dim(1).squeeze_dim::<2>(1))
    }
}

/// The lines of a page that are neither code nor short.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```").step_by(2);
    blocks.flat_map(str::lines).map(str::trim).filter(|line| line.len() > LENGTH && !line.starts_with(['|', '#']))
}

/// The lines of a source that are neither comments nor short.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().map(str::trim).filter(|line| line.len() > LENGTH && !line.starts_with("//"))
}

/// The first characters of each line, and whether it is code.
fn samples(pages: &[&'static str], sources: &[&'static str]) -> Vec<(Vec<i64>, i64)> {
    let characters = |line: &str| line.bytes().take(LENGTH).map(|byte| i64::from(byte & 127)).collect();
    let prose = pages.iter().flat_map(|page| prose(page)).map(|line| (characters(line), 0));
    let code = sources.iter().flat_map(|source| code(source)).map(|line| (characters(line), 1));
    prose.chain(code).collect()
}

fn tensors(samples: &[(Vec<i64>, i64)], rows: &[usize], device: &Device) -> (Tensor<2, Int>, Tensor<1, Int>) {
    let characters = rows.iter().flat_map(|&row| samples[row].0.iter().copied()).collect();
    let labels = rows.iter().map(|&row| samples[row].1).collect();
    let (characters, labels) =
        (TensorData::new(characters, [rows.len(), LENGTH]), TensorData::new(labels, [rows.len()]));
    (Tensor::from_data(characters, device), Tensor::from_data(labels, device))
}

fn main() {
    let train = samples(
        &[
            include_str!("../../docs/layers.md"),
            include_str!("../../docs/train.md"),
            include_str!("../../docs/mask.md"),
        ],
        &[include_str!("../../crates/nn-dropout/src/layer/config.rs"), include_str!("../../benches/src/main.rs")],
    );
    let validation = samples(
        &[include_str!("../../docs/recipes.md"), include_str!("../../docs/sweep.md")],
        &[include_str!("../../crates/nn-dropout/src/generator/mod.rs")],
    );
    let device = Device::flex();
    let autodiff = device.clone().autodiff();
    device.seed(42);
    manual_seed(42);
    let mut model = Classifier::new(&autodiff);
    let mut optimizer = AdamWConfig::new().init();
    for epoch in 0..4 {
        for batch in batches(train.len(), 32, 42, epoch) {
            let (lines, labels) = tensors(&train, &batch, &autodiff);
            let loss = CrossEntropyLossConfig::new().init(&autodiff).forward(model.forward(lines), labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(5e-3, model, gradients);
        }
    }
    let all: Vec<usize> = (0..validation.len()).collect();
    let (lines, labels) = tensors(&validation, &all, &device);
    let right = accuracy_in_burn(model.valid().forward(lines), labels);
    println!("{} lines to train on, {} others: {:.1} % right", train.len(), validation.len(), 100.0 * right);
    assert!(right > 0.8);
}
