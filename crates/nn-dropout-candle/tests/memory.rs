//! What is kept for the backward pass: nothing of the tensor's size, but for the bits of blocks.

use candle_core::{DType, Device, Result, Tensor, Var};
use nn_dropout_candle::{Config, DropoutLayer, EmbeddingDropout, Generator, Kind, LabelDropout, TokenDropout, Zoneout};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const MEGABYTE: usize = 512 * 512 * 4;
const LAYERS: usize = 8;

/// Bytes on the heap while [`LAYERS`] layers of a megabyte wait for their backward pass, but for the tensors that candle keeps
/// between layers.
fn held(layer: impl Fn(&Tensor) -> Result<Tensor>) -> Result<usize> {
    let x = Var::ones((8, 8, 64, 64), DType::F32, &Device::Cpu)?;
    let before = dhat::HeapStats::get().curr_bytes;
    let y = (0..LAYERS).try_fold(x.as_tensor().clone(), |x, _| layer(&x))?;
    let held = dhat::HeapStats::get().curr_bytes - before;
    assert!(y.sum_all()?.backward()?.get(&x).is_some());
    Ok(held.saturating_sub(LAYERS * MEGABYTE))
}

/// The most bytes that forward and backward of one layer need at once.
fn peak(layer: impl Fn(&Tensor) -> Result<Tensor>) -> Result<usize> {
    let x = Var::ones((8, 8, 64, 64), DType::F32, &Device::Cpu)?;
    let profiler = dhat::Profiler::builder().testing().build();
    assert!(layer(&x)?.backward()?.get(&x).is_some());
    let peak = dhat::HeapStats::get().max_bytes;
    drop(profiler);
    Ok(peak)
}

#[test]
fn no_mask_is_kept_for_backward() -> Result<()> {
    let generator = Generator::philox(1);
    let ours = DropoutLayer::from_config(Config::new(Kind::Dropout, 0.5).unwrap(), &generator)?;
    let theirs = candle_nn::Dropout::new(0.5);
    let (ours, theirs) = (peak(|x| ours.forward(x, true))?, peak(|x| theirs.forward(x, true))?);
    assert!(ours + MEGABYTE <= theirs, "{ours} bytes, and candle {theirs}");

    let _profiler = dhat::Profiler::builder().testing().build();
    let check = |name: &str, held: usize, more: usize| {
        assert!(held < 100_000 + more, "{name}: {held} bytes besides the outputs");
    };
    for kind in Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor() && *kind != Kind::Dropout1d) {
        let layer = DropoutLayer::from_config(Config::new(kind, 0.1).unwrap(), &generator)?;
        let bits = LAYERS * MEGABYTE / 32;
        match kind {
            Kind::DropBlock2d => check("drop-block2d", held(|x| layer.forward(x, true))?, bits),
            Kind::DropBlock3d => {
                let volume = |x: &Tensor| layer.forward(&x.reshape((8, 8, 16, 16, 16))?, true)?.reshape((8, 8, 64, 64));
                check("drop-block3d", held(volume)?, bits);
            }
            _ => {
                check(&kind.name(), held(|x| layer.forward(x, true))?, 0);
                check(&kind.name(), held(|x| layer.forward_add(x, x, true))?, 0);
            }
        }
    }

    let zoneout = Zoneout::with_generator(0.1, &generator);
    // The state that is kept is a tensor of candle's graph.
    check("zoneout", held(|x| zoneout.forward(x, x, true))?, LAYERS * MEGABYTE);
    let labels = LabelDropout::with_generator(0.1, &generator);
    let null = Tensor::ones(512, DType::F32, &Device::Cpu)?;
    let rows = |x: &Tensor| labels.forward(&x.reshape((512, 512))?, &null, true)?.reshape((8, 8, 64, 64));
    check("label-dropout", held(rows)?, 0);
    let tokens = TokenDropout::with_generator(0.1, &generator);
    let all = |x: &Tensor| tokens.keep_tokens(&x.reshape((1, 512, 512))?, 512, true)?.0.reshape((8, 8, 64, 64));
    check("token-dropout", held(all)?, 0);
    let embedding = EmbeddingDropout::with_generator(0.1, &generator);
    let words = Tensor::arange(0u32, 512, &Device::Cpu)?;
    let look_up = |x: &Tensor| embedding.forward(&x.reshape((512, 512))?, &words, true)?.reshape((8, 8, 64, 64));
    // The rows before they are scaled.
    check("embedding-dropout", held(look_up)?, LAYERS * MEGABYTE);

    let theirs = candle_nn::Dropout::new(0.5);
    let theirs = held(|x| theirs.forward(x, true))?;
    assert!(theirs >= LAYERS * MEGABYTE, "{theirs} bytes: the measurement does not see masks");
    Ok(())
}
