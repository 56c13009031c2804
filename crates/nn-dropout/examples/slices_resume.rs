//! A training that is interrupted, saved, and resumed in another process ends with the same bits as one that ran through. What
//! has to be saved is the weights, the state of the optimiser (here, the momentum) and the state of the generator.
//!
//! ```sh
//! cargo run --release -p nn-dropout --example slices_resume
//! ```

use nn_dropout::{Config, Generator, GeneratorState, Kind, Layer, Mask, Probability, Schedule};

const ROWS: usize = 64;
const INPUTS: usize = 16;

/// Two layers of noise before a linear model: dropout, whose p grows in the course of the training, and normal noise.
struct Training {
    weights: Vec<f32>,
    momentum: Vec<f32>,
    generator: Generator,
    layers: [Layer; 2],
}

impl Training {
    fn new(generator: Generator) -> Self {
        let config = |kind, amount| Config::new(kind, amount).expect("amounts that the kinds take");
        let dropout = config(Kind::Dropout, 0.4).with_schedule(Schedule::Linear { steps: 20 });
        let layers = [dropout, config(Kind::GaussianNoise, 0.1)].map(|config| Layer::from_config(config, &generator));
        Self { weights: vec![0.0; INPUTS], momentum: vec![0.0; INPUTS], generator, layers }
    }

    /// A step of stochastic gradient descent on squared errors.
    fn step(&mut self, x: &[f32], targets: &[f32]) {
        let mut noisy = x.to_vec();
        for layer in &self.layers {
            if let Some(draw) = layer.draw(&[ROWS, INPUTS]).expect("any shape will do") {
                draw.forward_inplace(&mut noisy).expect("as many elements as it was drawn for");
            }
        }
        let mut gradient = vec![0.0; INPUTS];
        for (row, target) in noisy.chunks(INPUTS).zip(targets) {
            let prediction: f32 = row.iter().zip(&self.weights).map(|(x, w)| x * w).sum();
            let error = 2.0 * (prediction - target) / ROWS as f32;
            gradient.iter_mut().zip(row).for_each(|(g, x)| *g += error * x);
        }
        for ((w, m), g) in self.weights.iter_mut().zip(&mut self.momentum).zip(gradient) {
            *m = 0.9 * *m + g;
            *w -= 0.01 * *m;
        }
        // The training says when a step ends, since a step may call a layer any number of times.
        self.generator.advance();
    }

    /// What a program writes into a file.
    fn save(&self) -> String {
        let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        serde_json::to_string(&(bits(&self.weights), bits(&self.momentum), self.generator.state()))
            .expect("all of it is plain")
    }

    /// The layers are made as before, in the same order; the state then says where their masks go on.
    fn resume(saved: &str) -> Self {
        let (weights, momentum, state): (Vec<u32>, Vec<u32>, GeneratorState) =
            serde_json::from_str(saved).expect("it was saved");
        let numbers = |bits: Vec<u32>| bits.into_iter().map(f32::from_bits).collect();
        let training = Self::new(Generator::philox(0)); // the seed is in the state
        training.generator.set_state(state);
        Self { weights: numbers(weights), momentum: numbers(momentum), ..training }
    }
}

fn main() {
    let mask = Mask::philox(1, 0, 0, Probability::ZERO);
    let x: Vec<f32> =
        (0..(ROWS * INPUTS) as u64).map(|i| mask.normal(i).expect("our own masks have numbers")).collect();
    let targets: Vec<f32> = x.chunks(INPUTS).map(|row| row[0] - 2.0 * row[1] + 0.5 * row[2]).collect();
    let run = |training: &mut Training, steps| (0..steps).for_each(|_| training.step(&x, &targets));

    let mut whole = Training::new(Generator::philox(42));
    run(&mut whole, 40);

    let mut first = Training::new(Generator::philox(42));
    run(&mut first, 13);
    let saved = first.save();
    drop(first);
    println!("saved after 13 of 40 steps: {} bytes", saved.len());

    let mut resumed = Training::resume(&saved);
    run(&mut resumed, 27);
    assert_eq!(resumed.save(), whole.save());
    println!("the weights of the resumed training: {:.3?}", &resumed.weights[..3]);

    // Without the state of the generator the masks begin anew, and the training is another one.
    let mut other = Training::resume(&saved);
    other.generator.set_state(Training::new(Generator::philox(42)).generator.state());
    run(&mut other, 27);
    assert_ne!(other.weights, whole.weights);
    println!("without the state of the generator: {:.3?}", &other.weights[..3]);
}
