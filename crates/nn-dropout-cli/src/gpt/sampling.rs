//! The next token of a text, drawn from the logits of a GPT.

use std::num::NonZeroUsize;

use anyhow::{Result, anyhow};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::model::Gpt;

/// The logits of the token after `seen`, for tokens that are characters.
pub fn next_logits(model: &Gpt, seen: &[i64], characters: usize, device: &Device) -> Result<Vec<f32>> {
    let input = Tensor::<2, Int>::from_data(TensorData::new(seen.to_vec(), [1, seen.len()]), device);
    let logits = model.forward(input);
    let [_, count, vocab_size] = logits.dims();
    let last = logits.slice([0..1, count - 1..count, 0..vocab_size.min(characters)]);
    last.into_data().try_to_vec().map_err(|error| anyhow!("{error:?}"))
}

/// A token drawn with the probabilities of the softmax.
pub fn choose(logits: &[f32], temperature: f64, top_k: Option<NonZeroUsize>, rng: &mut ChaCha8Rng) -> usize {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    order.truncate(if temperature == 0.0 { 1 } else { top_k.map_or(order.len(), NonZeroUsize::get) });
    let best = f64::from(logits[order[0]]);
    let weight =
        |&token: &usize| if temperature == 0.0 { 1.0 } else { ((f64::from(logits[token]) - best) / temperature).exp() };
    let total: f64 = order.iter().map(weight).sum();
    let mut left = rng.random::<f64>() * total;
    for token in &order {
        left -= weight(token);
        if left < 0.0 {
            return *token;
        }
    }
    order[0]
}
