//! A model in training: its weights, and the optimiser that changes them.

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

/// A model and its optimiser. Nobody else holds the weights, so that a step can overwrite them.
pub struct Training<M> {
    model: Option<M>,
    optimizer: ModuleOptimizer,
}

const GIVES_BACK: &str = "every step gives the model back";

impl<M: Module> Training<M> {
    /// A model before its next step.
    pub fn new(model: M, optimizer: ModuleOptimizer) -> Self {
        Self { model: Some(model), optimizer }
    }

    /// The model and its optimiser.
    pub fn into_parts(self) -> (M, ModuleOptimizer) {
        let Some(model) = self.model else { unreachable!("{GIVES_BACK}") };
        (model, self.optimizer)
    }

    /// The model. A copy of it makes the next step slower while it lives.
    pub fn model(&self) -> &M {
        let Some(model) = &self.model else { unreachable!("{GIVES_BACK}") };
        model
    }

    /// The optimiser, with its state.
    pub fn optimizer(&self) -> &ModuleOptimizer {
        &self.optimizer
    }

    /// The gradients of a loss.
    pub fn gradients(&self, loss: &Tensor<1>) -> GradientsParams {
        GradientsParams::from_grads(loss.backward(), self.model())
    }

    /// Changes the weights.
    pub fn step(&mut self, learning_rate: f64, gradients: GradientsParams) {
        let Some(model) = self.model.take() else { unreachable!("{GIVES_BACK}") };
        self.model = Some(self.optimizer.step(learning_rate, model, gradients));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use burn::optim::Optimizer;
    use burn::tensor::{Device, TensorData};
    use nn_dropout_burn::DropoutConfig;

    use super::*;
    use crate::Mlp;

    /// Notes where the parameters are. What somebody else holds too would be copied, to another place.
    #[derive(Clone)]
    struct Probe(Arc<Mutex<Vec<usize>>>);

    impl Optimizer for Probe {
        type State<const D: usize> = ();

        fn step<const D: usize>(&self, _: f64, x: Tensor<D>, _: Tensor<D>, _: Option<()>) -> (Tensor<D>, Option<()>) {
            let device = x.device();
            let mut data = x.into_data();
            self.0.lock().unwrap().push(data.as_mut_slice::<f32>().unwrap().as_ptr() as usize);
            (Tensor::from_data(data, &device), Some(()))
        }

        fn to_device<const D: usize>((): (), _: &Device) {}
    }

    #[test]
    fn nobody_else_holds_the_weights_in_a_step() {
        let device = Device::flex().autodiff();
        let model = Mlp::new(&[20, 50, 3], |bound| bound / 2.0, || DropoutConfig::new(0.5).init(), &device);
        let places = Arc::new(Mutex::new(Vec::new()));
        let mut training = Training::new(model, Probe(places.clone()).into());
        for _ in 0..3 {
            let x = Tensor::<2>::from_data(TensorData::ones::<f32, _>([7, 20]), &device);
            let loss = training.model().forward(x).square().mean();
            let gradients = training.gradients(&loss);
            training.step(0.01, gradients);
        }
        let places = places.lock().unwrap();
        assert_eq!(places.len(), 3 * 4, "two weights and two biases");
        assert_eq!(places[..4], places[4..8]);
        assert_eq!(places[..4], places[8..]);
    }
}
