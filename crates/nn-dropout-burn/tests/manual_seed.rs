//! The default generator, which is one per process, and so has a test binary of its own.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_dropout_burn::{Dropout, DropoutConfig, manual_seed};

#[derive(Module, Debug)]
struct Model {
    layers: Vec<Dropout>,
}

#[test]
fn a_model_made_after_the_same_seed_draws_the_same_masks() {
    let run = || {
        manual_seed(7);
        let model = Model { layers: (0..3).map(|_| DropoutConfig::new(0.2).init()).collect() };
        let ones = Tensor::<2>::ones([20, 4], &Device::flex().autodiff());
        let pass = || model.layers.iter().fold(ones.clone(), |x, layer| layer.forward(x)).into_data();
        (pass(), pass())
    };
    let (first, second) = run();
    assert_ne!(first, second);
    assert_eq!(run(), (first, second));
}
