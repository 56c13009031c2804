//! The settings of a GPT.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nn_dropout::Config;

use super::choices::{DeviceName, Model, TrainRng};
use super::numbers::{Beta, LearningRate, NotNegative, default_count, default_probability};
use super::options::{Options, settings};

settings! {
/// Everything that determines what a run computes.
GptSettings {
    model: Model = Model::Gpt,
    /// A text; without one there are batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batches: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    init: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vocab_size: Option<NonZeroUsize>,
    n_layer: NonZeroUsize = default_count(4),
    n_head: NonZeroUsize = default_count(4),
    n_embd: NonZeroUsize = default_count(128),
    block_size: NonZeroUsize = default_count(64),
    bias: bool = false,
    dropout: Config = default_probability(0.2).into(),
    batch_size: NonZeroUsize = default_count(12),
    learning_rate: LearningRate = LearningRate::default_of(1e-3),
    weight_decay: NotNegative = NotNegative::default_of(0.1),
    beta1: Beta = Beta::default_of(0.9),
    beta2: Beta = Beta::default_of(0.99),
    grad_clip: NotNegative = NotNegative::default_of(1.0),
    max_iters: NonZeroUsize = default_count(2000),
    eval_interval: NonZeroUsize = default_count(250),
    #[serde(with = "super::numbers::signed_seed")]
    seed: u64 = 42,
    #[serde(skip_serializing_if = "DeviceName::is_cpu", default)]
    device: DeviceName = DeviceName::Cpu,
    rng: TrainRng = TrainRng::Philox,
}
}
