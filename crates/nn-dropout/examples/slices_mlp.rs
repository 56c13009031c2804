//! A multi-layer perceptron on slices, written by hand: forward, backward, AdamW and dropout. A fifth of the labels that it
//! learns from are wrong. Without dropout it learns those by heart too, and does worse on new rows.
//!
//! ```sh
//! cargo run --release -p nn-dropout --example slices_mlp
//! ```

use nn_dropout::{Dropout, Generator, Mask, Probability};

const INPUTS: usize = 20;
const HIDDEN: usize = 128;
const BATCH: usize = 20;

/// Rows of normal numbers. The label says whether two points lie on the same side, with `wrong` of 100 labels turned round.
struct Rows {
    x: Vec<f32>,
    labels: Vec<f32>,
}

impl Rows {
    fn new(count: usize, wrong: f32, seed: u64) -> Self {
        let x = normal(count * INPUTS, seed, 0);
        let noise = Mask::philox(seed, 1, 0, Probability::ZERO);
        let label = |(row, x): (usize, &[f32])| {
            let turned = noise.uniform(row as u64).expect("our own masks have numbers") < wrong / 50.0 - 1.0;
            f32::from((x[0] + x[1] * x[2] > 0.0) != turned)
        };
        let labels = x.chunks(INPUTS).enumerate().map(label).collect();
        Self { x, labels }
    }
}

/// Normal numbers, which depend on the seed and the stream alone.
fn normal(count: usize, seed: u64, stream: u32) -> Vec<f32> {
    let mask = Mask::philox(seed, stream, 0, Probability::ZERO);
    (0..count as u64).map(|i| mask.normal(i).expect("our own masks have numbers")).collect()
}

/// A tensor that is learned, its gradient, and AdamW's two means.
struct Parameter {
    value: Vec<f32>,
    gradient: Vec<f32>,
    means: Vec<[f32; 2]>,
}

impl Parameter {
    fn new(value: Vec<f32>) -> Self {
        Self { gradient: vec![0.0; value.len()], means: vec![[0.0; 2]; value.len()], value }
    }

    fn adamw(&mut self, step: i32) {
        let (rate, decay, [beta1, beta2]) = (3e-3_f32, 1e-2, [0.9_f32, 0.999]);
        for ((w, g), [m, v]) in self.value.iter_mut().zip(&mut self.gradient).zip(&mut self.means) {
            *m = beta1 * *m + (1.0 - beta1) * *g;
            *v = beta2 * *v + (1.0 - beta2) * *g * *g;
            let unbiased = [*m / (1.0 - beta1.powi(step)), *v / (1.0 - beta2.powi(step))];
            *w -= rate * (unbiased[0] / (unbiased[1].sqrt() + 1e-8) + decay * *w);
            *g = 0.0;
        }
    }
}

struct Mlp {
    weight: Parameter, // [HIDDEN, INPUTS]
    output: Parameter, // [HIDDEN]
    dropout: Dropout,
}

impl Mlp {
    fn new(p: f64, seed: u64) -> Self {
        let scaled = |count, fan_in: usize, stream| {
            normal(count, seed, stream).iter().map(|w| w * (2.0 / fan_in as f32).sqrt()).collect()
        };
        Self {
            weight: Parameter::new(scaled(HIDDEN * INPUTS, INPUTS, 2)),
            output: Parameter::new(scaled(HIDDEN, HIDDEN, 3)),
            dropout: Dropout::with_generator(p, &Generator::philox(seed)).expect("between 0 and 1"),
        }
    }

    /// `ReLU` of the first layer: `[row, HIDDEN]`.
    fn hidden(&self, x: &[f32]) -> Vec<f32> {
        let unit = |row: &[f32], weights: &[f32]| dot(row, weights).max(0.0);
        x.chunks(INPUTS).flat_map(|row| self.weight.value.chunks(INPUTS).map(move |w| unit(row, w))).collect()
    }

    /// One step of the training.
    fn learn(&mut self, x: &[f32], labels: &[f32], step: i32) {
        let hidden = self.hidden(x);
        // The noise of this step, for forward and backward. `None` at p = 0.
        let draw = self.dropout.draw(&[labels.len(), HIDDEN]).expect("any shape will do");
        let mut dropped = hidden.clone();
        if let Some(draw) = &draw {
            draw.forward_inplace(&mut dropped).expect("as many elements as it was drawn for");
        }
        let mut gradient = Vec::with_capacity(hidden.len());
        for (dropped, label) in dropped.chunks(HIDDEN).zip(labels) {
            let probability = 1.0 / (1.0 + (-dot(dropped, &self.output.value)).exp());
            let error = (probability - label) / labels.len() as f32;
            gradient.extend(self.output.value.iter().map(|w| error * w));
            add(&mut self.output.gradient, error, dropped);
        }
        if let Some(draw) = &draw {
            draw.backward_inplace(&mut gradient).expect("as many elements as it was drawn for");
        }
        for ((gradient, hidden), row) in gradient.chunks(HIDDEN).zip(hidden.chunks(HIDDEN)).zip(x.chunks(INPUTS)) {
            for (unit, sum) in self.weight.gradient.chunks_mut(INPUTS).enumerate() {
                if hidden[unit] > 0.0 {
                    add(sum, gradient[unit], row);
                }
            }
        }
        self.weight.adamw(step);
        self.output.adamw(step);
    }

    /// The share of rows whose label is right, in eval mode: without dropout.
    fn accuracy(&self, rows: &Rows) -> f32 {
        let hidden = self.hidden(&rows.x);
        let right = |(hidden, label): (&[f32], &f32)| (dot(hidden, &self.output.value) > 0.0) == (*label > 0.5);
        let count = hidden.chunks(HIDDEN).zip(&rows.labels).filter(|&row| right(row)).count();
        count as f32 / rows.labels.len() as f32
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(sum: &mut [f32], factor: f32, x: &[f32]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += factor * x);
}

fn main() {
    let [mut without, mut with] = [0.0, 0.0];
    for seed in 0..3 {
        let (train, validation) = (Rows::new(400, 20.0, seed), Rows::new(1000, 0.0, 1000 + seed));
        for (p, validated) in [(0.0, &mut without), (0.5, &mut with)] {
            let mut mlp = Mlp::new(p, seed);
            let mut step = 0;
            for _epoch in 0..40 {
                for (x, labels) in train.x.chunks(BATCH * INPUTS).zip(train.labels.chunks(BATCH)) {
                    step += 1;
                    mlp.learn(x, labels, step);
                }
            }
            let [trained, now] = [&train, &validation].map(|rows| 100.0 * mlp.accuracy(rows));
            println!("seed {seed}, p = {p}: {trained:.1} % of the training rows right, {now:.1} % of new rows");
            *validated += now / 3.0;
        }
    }
    println!("on new rows: {without:.1} % without dropout, {with:.1} % with");
    assert!(with > without + 1.0);
}
