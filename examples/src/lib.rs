//! What several examples need: handwritten digits, in batches.

#![allow(clippy::missing_panics_doc, reason = "the digits are part of the repository")]

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
    let rows = include_str!("../../crates/nn-dropout-cli/data/digits.csv").lines().skip(1);
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
pub fn rows(digits: &[Digit], rows: &[usize]) -> (Vec<f32>, Vec<i64>) {
    let pixels = rows.iter().flat_map(|&row| digits[row].pixels.iter().copied()).collect();
    (pixels, rows.iter().map(|&row| digits[row].label).collect())
}
