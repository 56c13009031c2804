//! The most memory that a training step of the GPT needs: with dropout there is no mask in it.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_dropout_models::gpt::{Gpt, GptConfig, Parts};
use nn_dropout_models::{AdamW, Noise, Training};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const BATCH: usize = 8;
const SIZES: GptConfig = GptConfig { vocab_size: 65, block_size: 64, n_layer: 2, n_head: 4, n_embd: 64, bias: false };

/// The bytes that a step allocates at most, besides what was there before.
fn peak<N: Noise>(dropout: &dyn Fn() -> N) -> usize {
    let device = Device::flex().autodiff();
    let mut parts = Parts { normal: &mut || 0.5, dropout, device: &device };
    let mut training = Training::new(Gpt::new(&SIZES, &mut parts), AdamW::default().into());
    let tokens: Vec<i64> = (0..BATCH * SIZES.block_size).map(|i| (i * i % SIZES.vocab_size) as i64).collect();
    let inputs = Tensor::<2, Int>::from_data(TensorData::new(tokens.clone(), [BATCH, SIZES.block_size]), &device);
    let targets = Tensor::<1, Int>::from_data(TensorData::new(tokens, [BATCH * SIZES.block_size]), &device);
    let mut step = || {
        let logits = training.model().forward(inputs.clone()).reshape([-1, SIZES.vocab_size as i64]);
        let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, targets.clone());
        let gradients = training.gradients(&loss);
        training.step(1e-3, gradients);
    };
    step(); // makes the moments
    let _profiler = dhat::Profiler::builder().testing().build();
    step();
    dhat::HeapStats::get().max_bytes
}

#[test]
fn no_mask_is_kept() {
    let ours = |p: f64| peak(&move || nn_dropout_burn::DropoutConfig::new(p).init());
    let burns = |p: f64| peak(&move || burn::nn::DropoutConfig::new(p).init());
    let without = ours(0.0);
    let [ours, burns] = [ours(0.2), burns(0.2)].map(|with| with - without);
    // The softmax keeps the attention weights that it made, and the product after it those with dropout.
    let weights = 4 * SIZES.n_layer * BATCH * SIZES.n_head * SIZES.block_size.pow(2);
    println!("{without} bytes without dropout, {ours} more with ours, {burns} more with Burn's");
    assert!(ours < weights + without / 100, "{ours} is more than {weights}");
    assert!(burns > 2 * weights, "{burns}: the measurement does not see masks");
}
