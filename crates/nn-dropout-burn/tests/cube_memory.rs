//! What is kept on a GPU for the backward pass. The device counts the memory of the whole process, so nothing else runs in this one.

#![cfg(feature = "cube")]

mod devices;

use burn::tensor::{Distribution, Tensor};
use devices::devices;
use nn_dropout_burn::{DropoutConfig, Generator};

/// Nothing of the tensor's size is held between forward and backward but the output.
#[test]
fn no_mask_is_kept_for_backward() {
    for device in devices() {
        let device = device.autodiff();
        let dropout = DropoutConfig::new(0.1).init_with(&Generator::philox(1));
        let burns = burn::nn::DropoutConfig::new(0.1).init();
        let held = |layer: &dyn Fn(Tensor<2>) -> Tensor<2>| {
            let x = Tensor::<2>::random([512, 512], Distribution::Default, &device).require_grad();
            let in_use = || {
                device.sync().unwrap();
                device.memory_pool_usage().map(|usage| usage.bytes_in_use)
            };
            let before = in_use();
            let y = (0..20).fold(x, |x, _| layer(x));
            let after = in_use();
            drop(y.backward());
            after.zip(before).map(|(after, before)| (after - before) / (512 * 512 * 4))
        };
        let ours = held(&|x| dropout.forward(x));
        let theirs = held(&|x| burns.forward(x));
        println!("{device:?}: ours holds {ours:?} tensors, Burn's {theirs:?}");
        assert!(ours.is_none_or(|held| held <= 3), "{ours:?}");
        assert!(theirs.is_none_or(|held| held >= 20), "{theirs:?}: the measurement does not see masks");
    }
}
