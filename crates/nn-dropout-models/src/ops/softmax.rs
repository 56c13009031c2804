//! The weights of causal attention from its scores, and their gradient.

use super::exp::exp;
use super::rows::{for_each, sum};

/// The softmax of `scale` times the scores, `[..., queries, keys]`, of each query and the keys before it. Later keys have weight 0.
pub fn forward(scores: &[f32], keys: usize, scale: f32) -> Vec<f32> {
    let mut weights = scores.to_vec();
    for_each(
        &mut weights,
        keys,
        #[inline(always)]
        |row, query| {
            let (row, future) = row.split_at_mut(query % keys + 1);
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for x in row.iter_mut() {
                *x = exp((*x - most) * scale);
            }
            let total = sum(row, |x, _| x);
            for x in row {
                *x /= total;
            }
            future.fill(0.0);
        },
    );
    weights
}

/// The gradients of the scores from the weights and their gradients.
pub fn gradient(weights: &[f32], grad: &[f32], keys: usize, scale: f32) -> Vec<f32> {
    let mut grad = grad.to_vec();
    for_each(
        &mut grad,
        keys,
        #[inline(always)]
        |row, query| {
            let (row, future) = row.split_at_mut(query % keys + 1);
            let weights = &weights[query * keys..][..row.len()];
            let mean = sum(row, |grad, i| grad * weights[i]);
            for (grad, weight) in row.iter_mut().zip(weights) {
                *grad = (*grad - mean) * weight * scale;
            }
            future.fill(0.0);
        },
    );
    grad
}
