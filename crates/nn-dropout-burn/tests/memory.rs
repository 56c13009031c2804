//! What dropout keeps for the backward pass: nothing.

use burn::tensor::{Device, Tensor};
use nn_dropout_burn::{DropoutConfig, Generator};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Bytes on the heap while `layers` dropouts of a megabyte wait for their backward pass.
fn held(layers: usize, dropout: impl Fn(Tensor<2>) -> Tensor<2>) -> usize {
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::ones([512, 512], &device).require_grad();
    let before = dhat::HeapStats::get().curr_bytes;
    let y = (0..layers).fold(x.clone(), |h, _| dropout(h));
    let held = dhat::HeapStats::get().curr_bytes - before;
    let grads = y.sum().backward();
    assert!(x.grad(&grads).is_some());
    held
}

#[test]
fn no_mask_is_kept_for_backward() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let megabyte = 512 * 512 * 4;

    let ours = DropoutConfig::new(0.5).init_with(&Generator::philox(1));
    let ours = held(20, |h| ours.forward(h));
    assert!((megabyte..megabyte + 100_000).contains(&ours), "{ours} bytes: more than the output");

    let burns = burn::nn::DropoutConfig::new(0.5).init();
    let burns = held(20, |h| burns.forward(h));
    assert!(burns > 20 * megabyte, "{burns} bytes: the measurement does not see masks");
}
