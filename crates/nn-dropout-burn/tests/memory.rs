//! What is kept for the backward pass: nothing of the tensor's size, but for the bits of blocks.

use burn::tensor::{Device, Int, Tensor};
use nn_dropout::{Config, Kind};
use nn_dropout_burn::{
    DropoutLayer, EmbeddingDropoutConfig, Generator, LabelDropoutConfig, TokenDropoutConfig, ZoneoutConfig,
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const MEGABYTE: usize = 512 * 512 * 4;

/// Bytes on the heap while `layers` layers of a megabyte wait for their backward pass.
fn held(layers: usize, layer: impl Fn(Tensor<4>) -> Tensor<4>) -> usize {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::ones([8, 8, 64, 64], &device).require_grad();
    let before = dhat::HeapStats::get().curr_bytes;
    let y = (0..layers).fold(x.clone(), |h, _| layer(h));
    let held = dhat::HeapStats::get().curr_bytes - before;
    let grads = y.sum().backward();
    assert!(x.grad(&grads).is_some());
    held
}

#[test]
fn no_mask_is_kept_for_backward() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let generator = Generator::philox(1);
    let check = |name: &str, held: usize, more: usize| {
        assert!((MEGABYTE..MEGABYTE + 200_000 + more).contains(&held), "{name}: {held} bytes, more than the output");
    };

    for kind in Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor() && *kind != Kind::Dropout1d) {
        let layer = DropoutLayer::from_config(Config::new(kind, 0.1).unwrap(), &generator);
        match kind {
            // A bit an element.
            Kind::DropBlock2d => check("drop-block2d", held(20, |h| layer.forward(h)), 20 * MEGABYTE / 32),
            Kind::DropBlock3d => {
                let volume = |h: Tensor<4>| layer.forward(h.reshape([8, 8, 16, 16, 16])).reshape([8, 8, 64, 64]);
                check("drop-block3d", held(20, volume), 20 * MEGABYTE / 32);
            }
            _ => check(&kind.name(), held(20, |h| layer.forward(h)), 0),
        }
    }

    let zoneout = ZoneoutConfig::new(0.1).init_with(&generator);
    check("zoneout", held(20, |h| zoneout.forward(h.clone(), h)), 0);
    let labels = LabelDropoutConfig::new(0.1).init_with(&generator);
    let null = Tensor::<1>::ones([512], &Device::flex().autodiff());
    let rows = |h: Tensor<4>| labels.forward(h.reshape([512, 512]), null.clone()).reshape([8, 8, 64, 64]);
    check("label-dropout", held(20, rows), 0);
    // Nothing but the numbers of the tokens, and of words with their scales.
    let tokens = TokenDropoutConfig::new(0.1).init_with(&generator);
    let all = |h: Tensor<4>| tokens.keep_tokens(h.reshape([1, 512, 512]), 512).0.reshape([8, 8, 64, 64]);
    check("token-dropout", held(20, all), 20 * 512 * 8);
    let embedding = EmbeddingDropoutConfig::new(0.1).init_with(&generator);
    let words = Tensor::<1, Int>::arange(0..512, &Device::flex().autodiff()).unsqueeze::<2>();
    let table = Tensor::<2>::ones([512, 512], &Device::flex().autodiff()).require_grad();
    let look_up = |h: Tensor<4>| h + embedding.forward(table.clone(), words.clone()).reshape([8, 8, 64, 64]);
    check("embedding-dropout", held(20, look_up), 20 * 512 * 12);

    let burns = burn::nn::DropoutConfig::new(0.5).init();
    let burns = held(20, |h| burns.forward(h));
    assert!(burns > 20 * MEGABYTE, "{burns} bytes: the measurement does not see masks");
}
