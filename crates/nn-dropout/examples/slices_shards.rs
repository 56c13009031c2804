//! Ranks share out one tensor: each computes some rows, or some columns, of a layer with the same mask. The outputs and the
//! gradient are those of one rank, bit for bit, and no rank tells another one about its mask.
//!
//! ```sh
//! cargo run --release -p nn-dropout --example slices_shards
//! ```

use std::thread;

use nn_dropout::{Dropout, Generator, Mask, Probability};

const SHAPE: [usize; 2] = [12, 24]; // rows of the batch, units of the layer

/// Which part of the tensor a rank has: its first element and its shape.
#[derive(Clone, Copy)]
struct Part {
    offset: [usize; 2],
    shape: [usize; 2],
}

impl Part {
    /// Part number `rank` of `ranks`, along one axis.
    fn new(axis: usize, rank: usize, ranks: usize) -> Self {
        let (mut offset, mut shape) = ([0, 0], SHAPE);
        shape[axis] /= ranks;
        offset[axis] = rank * shape[axis];
        Self { offset, shape }
    }

    /// The numbers of its elements in the whole tensor.
    fn elements(&self) -> Vec<usize> {
        let ([row, column], [rows, columns]) = (self.offset, self.shape);
        (row..row + rows)
            .flat_map(|row| (column..column + columns).map(move |column| row * SHAPE[1] + column))
            .collect()
    }
}

/// Outputs and gradients of the elements of a part, in two steps of a training. It runs on the rank, which knows the seed, the
/// shape of the whole, and its own elements.
fn rank(part: Part, x: &[f32]) -> Vec<[f32; 2]> {
    let dropout = Dropout::with_generator(0.3, &Generator::philox(42)).expect("between 0 and 1");
    let own: Vec<f32> = part.elements().into_iter().map(|element| x[element]).collect();
    let step = |_| {
        let whole = dropout.draw(&SHAPE).expect("any shape will do").expect("a new layer is in training mode");
        let draw = whole.block(&SHAPE, &part.offset, &part.shape).expect("a part of it");
        let outputs = draw.forward_to_vec(&own).expect("as many elements as the part has");
        // The loss is the sum of the squares.
        let mut gradient: Vec<f32> = outputs.iter().map(|y| 2.0 * y).collect();
        draw.backward_inplace(&mut gradient).expect("as many elements as the part has");
        outputs.into_iter().zip(gradient).map(|(y, dx)| [y, dx]).collect::<Vec<_>>()
    };
    (0..2).flat_map(step).collect()
}

fn main() {
    let count = SHAPE[0] * SHAPE[1];
    let mask = Mask::philox(1, 0, 0, Probability::ZERO);
    let x: Vec<f32> = (0..count as u64).map(|i| mask.normal(i).expect("our own masks have numbers")).collect();
    let x = &x;
    let whole = rank(Part::new(0, 0, 1), x);
    for (axis, name) in [(0, "rows"), (1, "columns")] {
        for ranks in [2, 3, 4] {
            // Each rank is a thread here. It could be a process on another machine.
            let parts: Vec<Part> = (0..ranks).map(|number| Part::new(axis, number, ranks)).collect();
            let results: Vec<Vec<[f32; 2]>> = thread::scope(|scope| {
                let running: Vec<_> = parts.iter().map(|&part| scope.spawn(move || rank(part, x))).collect();
                running.into_iter().map(|thread| thread.join().expect("no rank panics")).collect()
            });
            for (part, result) in parts.iter().zip(results) {
                let elements = part.elements();
                for (step, own) in result.chunks(elements.len()).enumerate() {
                    let same = elements.iter().zip(own).all(|(element, own)| *own == whole[step * count + element]);
                    assert!(same, "{name} of {ranks} ranks, step {step}");
                }
            }
            println!("{ranks} ranks, each with some {name}: the outputs and the gradient of one");
        }
    }
}
