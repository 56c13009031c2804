//! AdamW as one pass over the parameters, their gradients and both moments.
//!
//! Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019. Burn's own is a dozen passes, each over memory. On
//! other devices than the CPU these are the same operations on tensors, which Burn fuses.

use burn::optim::{AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::ops::is_flex;

/// The optimiser, for tensors of `f32`. On a CPU it updates them in place if nobody else holds them.
///
/// There every element is multiplied, added, divided and rooted on its own, without fused operations. So the results are the same on
/// every instruction set and any number of threads.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// How much of the first moment is kept, from 0 to 1.
    pub beta_1: f64,
    /// How much of the second moment is kept, from 0 to 1.
    pub beta_2: f64,
    /// What is added to the root of the second moment.
    pub epsilon: f64,
    /// How much of a parameter is taken away, times the learning rate.
    pub weight_decay: f64,
}

impl Default for AdamW {
    /// The numbers of Burn's `AdamWConfig`.
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-5, weight_decay: 1e-4 }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        parameters: Tensor<D>,
        gradients: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let device = parameters.device();
        let (time, moments) = match state {
            Some(AdamWState { momentum }) => (momentum.time, [momentum.moment_1, momentum.moment_2]),
            None => (0, [(); 2].map(|()| Tensor::zeros(parameters.shape(), &device))),
        };
        let time = time + 1;
        let update = self.update(learning_rate, time);
        if !is_flex(&device) {
            let (parameters, [first, second]) = update.tensors(parameters, &gradients, moments);
            return (parameters, Some(AdamWState::new(AdaptiveMomentumState::new(time, first, second))));
        }
        let gradients = gradients.into_data();
        let [first, second] = moments;
        let [mut parameters, mut first, mut second] = [parameters, first, second].map(Tensor::into_data);
        update.apply(
            numbers(&mut parameters),
            gradients.as_slice().expect("gradients are f32"),
            [numbers(&mut first), numbers(&mut second)],
        );
        let [parameters, first, second] = [parameters, first, second].map(|data| Tensor::from_data(data, &device));
        (parameters, Some(AdamWState::new(AdaptiveMomentumState::new(time, first, second))))
    }

    fn to_device<const D: usize>(mut state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

fn numbers(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().expect("parameters and moments are f32")
}

impl AdamW {
    /// What step number `time` does, counted from 1.
    fn update(&self, learning_rate: f64, time: usize) -> Update {
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        Update {
            keep: [self.beta_1 as f32, self.beta_2 as f32],
            take: [(1.0 - self.beta_1) as f32, (1.0 - self.beta_2) as f32],
            root: (1.0 - self.beta_2.powi(time)).sqrt().recip() as f32,
            epsilon: self.epsilon as f32,
            rate: (learning_rate / (1.0 - self.beta_1.powi(time))) as f32,
            decay: (1.0 - learning_rate * self.weight_decay) as f32,
        }
    }
}

/// The numbers of a step, the same for all elements.
#[derive(Clone, Copy)]
struct Update {
    /// How much is kept of each moment, and taken of the new value.
    keep: [f32; 2],
    take: [f32; 2],
    /// The bias correction of the second moment's root.
    root: f32,
    epsilon: f32,
    /// The learning rate with the bias correction of the first moment.
    rate: f32,
    /// What a parameter is multiplied by.
    decay: f32,
}

/// Large enough that handing them to another thread costs little.
const CHUNK: usize = 1 << 15;

impl Update {
    fn apply(self, parameters: &mut [f32], gradients: &[f32], [first, second]: [&mut [f32]; 2]) {
        if parameters.len() <= CHUNK || rayon::current_num_threads() == 1 {
            return self.chunk(parameters, gradients, first, second);
        }
        let chunks = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK));
        let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
        chunks.zip(moments).for_each(|((parameters, gradients), (first, second))| {
            self.chunk(parameters, gradients, first, second);
        });
    }

    /// As operations on tensors, in the same order.
    fn tensors<const D: usize>(
        self,
        parameters: Tensor<D>,
        gradients: &Tensor<D>,
        [first, second]: [Tensor<D>; 2],
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let first = first * self.keep[0] + gradients.clone() * self.take[0];
        let second = second * self.keep[1] + gradients.clone() * gradients.clone() * self.take[1];
        let step = first.clone() * self.rate / (second.clone().sqrt() * self.root + self.epsilon);
        (parameters * self.decay - step, [first, second])
    }

    /// With the widest instructions that the CPU has.
    fn chunk(self, parameters: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || self.elements(parameters, gradients, first, second),
        );
    }

    #[inline(always)]
    fn elements(self, parameters: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        let moments = first.iter_mut().zip(second);
        for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradients).zip(moments) {
            *m = *m * self.keep[0] + g * self.take[0];
            *v = *v * self.keep[1] + g * g * self.take[1];
            *p = *p * self.decay - *m * self.rate / (v.sqrt() * self.root + self.epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::AdamWConfig;
    use rayon::ThreadPoolBuilder;

    use super::*;

    const OPTIMIZER: AdamW = AdamW { beta_1: 0.9, beta_2: 0.99, epsilon: 1e-8, weight_decay: 0.1 };

    /// Any numbers from -0.5 to 0.5.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i + seed) * 7919 % 1000) as f32 / 1000.0 - 0.5).collect()
    }

    fn tensor(numbers: Vec<f32>) -> Tensor<1> {
        let count = numbers.len();
        Tensor::from_data(TensorData::new(numbers, [count]), &Device::flex())
    }

    #[test]
    fn is_burns() {
        let config = AdamWConfig::new().with_beta_2(0.99).with_epsilon(1e-8).with_weight_decay(0.1);
        let burn = config.build();
        let (mut ours, mut burns) = (tensor(numbers(1000, 0)), tensor(numbers(1000, 0)));
        let (mut our_state, mut burns_state) = (None, None);
        for step in 1..=50 {
            let (rate, gradient) = (0.01 / step as f64, tensor(numbers(1000, step * step)));
            (ours, our_state) = OPTIMIZER.step(rate, ours, gradient.clone(), our_state);
            (burns, burns_state) = burn.step(rate, burns, gradient, burns_state);
        }
        let difference = (ours - burns).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-6, "{difference}");
        let [ours, burns] = [our_state, burns_state].map(|state| state.unwrap().momentum);
        assert_eq!(ours.time, burns.time);
        assert!((ours.moment_1 - burns.moment_1).abs().max().into_scalar::<f32>() < 1e-6);
        assert!((ours.moment_2 - burns.moment_2).abs().max().into_scalar::<f32>() < 1e-6);
    }

    #[test]
    fn instructions_and_threads_change_nothing() {
        let update = OPTIMIZER.update(0.01, 3);
        for count in (0..70).chain([CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5]) {
            let gradients = numbers(count, 1);
            let run = |apply: &(dyn Fn([&mut [f32]; 3]) + Sync)| {
                let [mut p, mut m, mut v] = [2, 3, 4].map(|seed| numbers(count, seed));
                for v in &mut v {
                    *v *= *v;
                }
                apply([&mut p, &mut m, &mut v]);
                [p, m, v].map(|numbers| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            };
            let plain = run(&|[p, m, v]| update.elements(p, &gradients, m, v));
            for threads in [1, 3] {
                let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let fast = run(&|[p, m, v]| pool.install(|| update.apply(p, &gradients, [m, v])));
                assert_eq!(fast, plain, "{count} numbers, {threads} threads");
            }
        }
    }

    #[test]
    fn overwrites_what_nobody_else_holds() {
        let mut data = TensorData::new(numbers(10_000, 0), [10_000]);
        let place = numbers_in(&mut data);
        let parameters = Tensor::<1>::from_data(data, &Device::flex());
        let (parameters, state) = OPTIMIZER.step(0.01, parameters, tensor(numbers(10_000, 1)), None);
        assert_eq!(numbers_in(&mut parameters.into_data()), place);
        let moments = state.unwrap().momentum;
        let mut first = moments.moment_1.into_data();
        let place = numbers_in(&mut first);
        let moments = AdaptiveMomentumState::new(1, Tensor::from_data(first, &Device::flex()), moments.moment_2);
        let (_, state) = OPTIMIZER.step(
            0.01,
            tensor(numbers(10_000, 0)),
            tensor(numbers(10_000, 1)),
            Some(AdamWState::new(moments)),
        );
        assert_eq!(numbers_in(&mut state.unwrap().momentum.moment_1.into_data()), place);
    }

    /// Where the numbers are.
    fn numbers_in(data: &mut TensorData) -> *mut f32 {
        super::numbers(data).as_mut_ptr()
    }
}
