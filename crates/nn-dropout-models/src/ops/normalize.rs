//! Rows with mean 0 and variance 1, and their gradient.
//!
//! Ba, Kiros and Hinton, "Layer normalization", 2016.

use super::rows::{for_each, sum};

/// What is added to the variance, as in PyTorch and Burn.
const EPSILON: f32 = 1e-5;

/// Each row without its mean, over the root of its variance.
pub fn forward(x: &[f32], columns: usize) -> Vec<f32> {
    let mut y = x.to_vec();
    for_each(
        &mut y,
        columns,
        #[inline(always)]
        |row, _| {
            let (mean, scale) = statistics(row);
            for x in row {
                *x = (*x - mean) * scale;
            }
        },
    );
    y
}

/// The gradients of the inputs `x` from those of the outputs.
pub fn gradient(x: &[f32], grad: &[f32], columns: usize) -> Vec<f32> {
    let mut grad = grad.to_vec();
    for_each(
        &mut grad,
        columns,
        #[inline(always)]
        |row, number| {
            let x = &x[number * columns..][..columns];
            let (mean, scale) = statistics(x);
            let count = columns as f32;
            let shift = sum(row, |grad, _| grad) / count;
            let slope = sum(row, |grad, i| grad * (x[i] - mean)) * scale / count;
            for (grad, x) in row.iter_mut().zip(x) {
                *grad = (*grad - shift - (x - mean) * scale * slope) * scale;
            }
        },
    );
    grad
}

/// The mean of a row, and one over the root of its variance.
#[inline(always)]
fn statistics(row: &[f32]) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(row, |x, _| x) / count;
    let variance = sum(row, |x, _| (x - mean) * (x - mean)) / count;
    (mean, (variance + EPSILON).sqrt().recip())
}
