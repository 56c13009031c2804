//! The GPT that the settings make.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use nn_dropout::Generator;
use nn_dropout_burn::DropoutLayer;
use nn_dropout_experiments::settings::GptSettings;
use nn_dropout_experiments::trainer::{Activations, MAX_PARAMETERS, rng};
use nn_dropout_models::GptConfig;
use nn_dropout_models::gpt::Parts;
use rand_distr::{Distribution, StandardNormal};

pub type Gpt = nn_dropout_models::Gpt<DropoutLayer>;

/// What its dropout is applied to: activations, and attention weights.
pub const ACTIVATIONS: Activations = Activations {
    name: "a GPT's [batch, token, channel] and [batch, head, query, key]",
    shapes: &[&[3, 4], &[2, 3, 3]],
};

/// The stream of the seed that the weights are drawn from. The batch of step 0 has the next one.
const WEIGHTS_STREAM: u64 = 0;

/// The sizes of the model with these settings, if there is such a model.
pub fn sizes(settings: &GptSettings, vocab_size: usize) -> Result<GptConfig> {
    let (n_embd, n_head) = (settings.n_embd.get(), settings.n_head.get());
    ensure!(n_embd % n_head == 0, "n_embd has to be a multiple of n_head, but got {n_embd} and {n_head}");
    let config = GptConfig {
        vocab_size,
        block_size: settings.block_size.get(),
        n_layer: settings.n_layer.get(),
        n_head,
        n_embd,
        bias: settings.bias,
    };
    let parameters = config.parameters();
    ensure!(parameters <= MAX_PARAMETERS, "these sizes make {parameters} weights, and at most {MAX_PARAMETERS} fit");
    Ok(config)
}

/// A model with random weights.
pub fn new_model(config: &GptConfig, settings: &GptSettings, generator: &Generator, device: &Device) -> Gpt {
    let mut rng = rng(settings.seed, WEIGHTS_STREAM);
    Gpt::new(
        config,
        &mut Parts {
            normal: &mut || StandardNormal.sample(&mut rng),
            dropout: &|| DropoutLayer::from_config(settings.dropout.clone(), generator),
            device,
        },
    )
}
