//! What several examples need: handwritten digits in batches, as tensors, and how many were read right.

#![allow(clippy::missing_panics_doc, reason = "the digits are part of the repository")]

use burn::tensor::{Device, Int, Tensor, TensorData};
use candle_core::Device::Cpu;
use candle_core::{D, DType, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// 8 x 8 pixels from 0 to 1, and the digit that they show.
pub struct Digit {
    /// The pixels, row by row.
    pub pixels: Vec<f32>,
    /// From 0 to 9.
    pub label: i64,
}

/// 1,797 digits: one in `share` to train on, and the others. Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI
/// Machine Learning Repository, 1998, under CC BY 4.0.
pub fn digits(share: usize) -> (Vec<Digit>, Vec<Digit>) {
    let rows = include_str!("../../crates/nn-dropout-experiments/data/digits.csv").lines().skip(1);
    let digits = rows.enumerate().map(|(number, row)| {
        let mut numbers = row.split(',').map(|cell| cell.parse::<f32>().expect("the file has numbers"));
        let pixels = numbers.by_ref().take(64).map(|pixel| pixel / 16.0).collect();
        let label = numbers.next().expect("and a label in each row") as i64;
        (number, Digit { pixels, label })
    });
    let (train, validation): (Vec<_>, Vec<_>) = digits.partition(|(number, _)| number % share == 0);
    let without_number = |digits: Vec<(usize, Digit)>| digits.into_iter().map(|(_, digit)| digit).collect();
    (without_number(train), without_number(validation))
}

/// The numbers of the rows in each batch of an epoch, in an order that depends on the seed and the epoch alone.
pub fn batches(rows: usize, size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    order.shuffle(&mut rng);
    order.chunks(size).map(<[usize]>::to_vec).collect()
}

/// The pixels and the labels of these rows, one after the other.
fn rows(digits: &[Digit], rows: &[usize]) -> (Vec<f32>, Vec<i64>) {
    let pixels = rows.iter().flat_map(|&row| digits[row].pixels.iter().copied()).collect();
    (pixels, rows.iter().map(|&row| digits[row].label).collect())
}

/// The same as tensors of Burn: `[row, 64]` and `[row]`.
pub fn in_burn(digits: &[Digit], numbers: &[usize], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let (pixels, labels) = rows(digits, numbers);
    let (pixels, labels) = (TensorData::new(pixels, [numbers.len(), 64]), TensorData::new(labels, [numbers.len()]));
    (Tensor::from_data(pixels, device), Tensor::from_data(labels, device))
}

/// The share of the labels that the logits, `[row, label]`, are highest for.
pub fn accuracy_in_burn(logits: Tensor<2>, labels: Tensor<1, Int>) -> f64 {
    let rows = labels.dims()[0] as f64;
    logits.argmax(1).squeeze_dim::<1>(1).equal(labels).int().sum().into_scalar::<i64>() as f64 / rows
}

/// The same as tensors of candle.
///
/// # Errors
///
/// Those of candle.
pub fn in_candle(digits: &[Digit], numbers: &[usize]) -> Result<(candle_core::Tensor, candle_core::Tensor)> {
    let ((pixels, labels), count) = (rows(digits, numbers), numbers.len());
    let [pixels, labels] = [
        candle_core::Tensor::from_vec(pixels, (count, 64), &Cpu)?,
        candle_core::Tensor::from_vec(labels, count, &Cpu)?,
    ];
    Ok((pixels, labels))
}

/// The share of the labels that the logits, `[row, label]`, are highest for.
///
/// # Errors
///
/// Those of candle.
pub fn accuracy_in_candle(logits: &candle_core::Tensor, labels: &candle_core::Tensor) -> Result<f64> {
    let guesses = logits.argmax(D::Minus1)?.to_dtype(labels.dtype())?;
    guesses.eq(labels)?.to_dtype(DType::F64)?.mean_all()?.to_scalar()
}
