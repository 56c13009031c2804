//! A training that is saved after half of its steps and resumed from what was saved ends with the bytes of one that ran through.
//! What has to be saved is the model, the optimiser and the generator.
//!
//! ```sh
//! cargo run --release -p nn-dropout-examples --example resume
//! ```

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::activation::relu;
use burn::tensor::{Bytes, Device, Tensor};
use nn_dropout_burn::{Dropout, DropoutConfig, Generator, GeneratorState};
use nn_dropout_examples::{batches, digits, in_burn};

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
    dropout: Dropout,
}

/// A training between two steps.
struct Training {
    model: Mlp,
    optimizer: ModuleOptimizer,
    generator: Generator,
}

/// What a program writes to disk. Here it stays in memory.
struct Checkpoint {
    weights: Vec<u8>,
    optimizer: Vec<u8>,
    generator: String,
}

impl Training {
    fn new() -> Self {
        let device = Device::flex().autodiff();
        device.seed(42);
        let generator = Generator::philox(42);
        let model = Mlp {
            first: LinearConfig::new(64, 128).init(&device),
            second: LinearConfig::new(128, 10).init(&device),
            dropout: DropoutConfig::new(0.3).init_with(&generator),
        };
        Self { model: numbered(model), optimizer: AdamWConfig::new().init(), generator }
    }

    fn epoch(mut self, epoch: usize) -> Self {
        let device = Device::flex().autodiff();
        let (train, _) = digits(4);
        for batch in batches(train.len(), 32, 42, epoch) {
            let (x, labels) = in_burn(&train, &batch, &device);
            let Mlp { first, second, dropout } = &self.model;
            let logits = second.forward(dropout.forward(relu(first.forward(x))));
            let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
            self.model = self.optimizer.step(1e-3, self.model, gradients);
        }
        self
    }

    fn save(&self) -> Checkpoint {
        Checkpoint {
            weights: weights(&self.model),
            optimizer: self.optimizer.into_bytes().expect("an optimiser can be saved").to_vec(),
            generator: serde_json::to_string(&self.generator.state()).expect("a state can be saved"),
        }
    }

    fn resume(checkpoint: Checkpoint) -> Self {
        let Self { mut model, optimizer, generator } = Self::new();
        model.load_from(&mut SafetensorsStore::from_bytes(Some(checkpoint.weights))).expect("the weights fit");
        let optimizer = optimizer.from_bytes(Bytes::from_bytes_vec(checkpoint.optimizer)).expect("the state fits");
        let state: GeneratorState = serde_json::from_str(&checkpoint.generator).expect("it was saved");
        generator.set_state(state);
        Self { model: numbered(model), optimizer, generator }
    }
}

fn weights(model: &Mlp) -> Vec<u8> {
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
    model.save_into(&mut store).expect("a model can be saved");
    store.get_bytes().expect("it was saved")
}

/// Numbers the parameters in their order, since the optimiser's state names them by number and Burn's own numbers are random.
fn numbered(model: Mlp) -> Mlp {
    struct Number(u64);
    impl ModuleMapper for Number {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (_, value, mapper) = param.consume();
            self.0 += 1;
            Param::from_mapped_value(ParamId::from(self.0), value, mapper)
        }
    }
    model.map(&mut Number(0))
}

fn main() {
    let whole = (0..4).fold(Training::new(), Training::epoch);
    let half = (0..2).fold(Training::new(), Training::epoch).save();
    println!("the generator after two epochs: {}", half.generator);
    let resumed = (2..4).fold(Training::resume(half), Training::epoch);
    assert!(weights(&resumed.model) == weights(&whole.model));
    println!("the resumed training ended with the same bytes");
}
