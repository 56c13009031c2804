//! GELU and its gradient, element by element.
//!
//! There are only additions, multiplications and divisions, so that the results are the same on every instruction set.

use super::exp::exp;
use super::rows::{CHUNK, for_each};

/// GELU of each number.
pub fn forward(x: &[f32]) -> Vec<f32> {
    let mut y = x.to_vec();
    for_each(
        &mut y,
        CHUNK,
        #[inline(always)]
        |chunk, _| {
            for y in chunk {
                *y *= normal(*y).0;
            }
        },
    );
    y
}

/// The gradients of the inputs `x` from those of the outputs.
pub fn gradient(x: &[f32], grad: &[f32]) -> Vec<f32> {
    let mut grad = grad.to_vec();
    for_each(
        &mut grad,
        CHUNK,
        #[inline(always)]
        |chunk, number| {
            for (grad, &x) in chunk.iter_mut().zip(&x[number * CHUNK..]) {
                let (distribution, density) = normal(x);
                *grad *= distribution + x * density;
            }
        },
    );
    grad
}

/// The distribution function and the density of the normal distribution, within 1e-7.
///
/// The first is formula 7.1.26 of Abramowitz and Stegun, "Handbook of mathematical functions", 1964.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const SERIES: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let tail = 0.5 * bell * SERIES.into_iter().fold(0.0, |sum, factor| (sum + factor) * t);
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * 0.398_942_3)
}
