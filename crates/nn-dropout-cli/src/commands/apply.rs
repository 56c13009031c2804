//! `nn-dropout apply`: a layer's noise on tensors in files, for comparison with other tools.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use nn_dropout::{Draw, Generator, GeneratorState, Input, JaxKey, Kind, Layer, Probability};

use super::Ended;
use crate::io::files::write_all;
use crate::io::tensors::{Format, TensorFile, npy_from_bytes, read_npy_bytes, with_array};
use crate::settings::numbers::{probability, seed, whole};

/// Apply a layer to the tensors in a file
///
/// A .safetensors file can hold several: the layer is called with one after another, in the order of their names.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct ApplyArgs {
    /// A .npy file of float16, float32 or float64, in C or Fortran order, or a .safetensors file of F16, BF16, F32 or F64
    input: PathBuf,
    /// The file for the noisy tensors, of the same kind
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The layer, as torch.nn names it: dropout, dropout1d, ..., alpha-dropout or feature-alpha-dropout
    #[arg(long, value_name = "NAME")]
    layer: Kind,
    /// The probability that an element, or a channel, is dropped
    #[arg(long, value_name = "P", value_parser = probability)]
    p: Probability,
    /// Draw our own masks, PyTorch's on the CPU, or JAX's
    #[arg(long, default_value = "philox")]
    rng: Rng,
    /// The generator's seed, as in `torch.manual_seed(N)` or `jax.random.key(N)` [default: 42]
    #[arg(long, value_name = "N", value_parser = seed)]
    seed: Option<u64>,
    /// The number of the layer (philox) [default: 0]
    #[arg(long, value_name = "N", value_parser = whole::<u32>)]
    layer_id: Option<u32>,
    /// The number of the call; JAX's masks are drawn with the key itself in call 0, with `fold_in(key, N)` in others (philox,
    /// jax) [default: 0]
    #[arg(long, value_name = "N", value_parser = whole::<u32>)]
    step: Option<u32>,
    /// Call the layer in eval mode
    #[arg(long)]
    eval: bool,
    /// Start from the state that `torch.get_rng_state().numpy()` gave and `numpy.save` saved (torch)
    #[arg(long, value_name = "FILE.npy")]
    rng_state: Option<PathBuf>,
    /// Save the generator's state afterwards, for
    /// `torch.set_rng_state(torch.from_numpy(numpy.load(FILE)))` (torch)
    #[arg(long, value_name = "FILE.npy")]
    save_rng_state: Option<PathBuf>,
    /// Write to this file which elements were kept: eight per byte, in row-major order, the first in the lowest bit; each tensor
    /// starts a new byte
    #[arg(long, value_name = "FILE")]
    bits: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Rng {
    Philox,
    Torch,
    Jax,
}

pub fn apply(args: &ApplyArgs) -> Result<Ended> {
    ensure!(
        Format::of(&args.output)? == Format::of(&args.input)?,
        "{}: expected a file of the same kind as {}",
        args.output.display(),
        args.input.display()
    );
    let generator = args.generator()?;
    let layer = args.layer(&generator)?;
    let mut file = TensorFile::read(&args.input)?;
    let mut bits = Vec::new();
    for tensor in file.tensors_mut() {
        with_array!(tensor, array => {
            let draw = layer.draw_for(&&*array).with_context(|| args.input.display().to_string())?;
            if args.bits.is_some() {
                bits.extend(kept(draw.as_ref(), array.len())?);
            }
            if let Some(draw) = draw {
                array.apply(&draw);
            }
        });
    }

    let tensors = file.to_bytes()?;
    let state = generator.torch_rng_state().map(npy_from_bytes).transpose()?.unwrap_or_default();
    let mut files: Vec<(&Path, &[u8])> = vec![(&args.output, &tensors)];
    files.extend(args.save_rng_state.as_deref().map(|path| (path, state.as_slice())));
    files.extend(args.bits.as_deref().map(|path| (path, bits.as_slice())));
    for (i, (path, _)) in files.iter().enumerate() {
        ensure!(files[..i].iter().all(|(other, _)| other != path), "two outputs have the name {}", path.display());
    }
    write_all(&files)?;
    Ok(Ended::Finished)
}

impl ApplyArgs {
    /// The generator, at the layer and step that the options name.
    fn generator(&self) -> Result<Generator> {
        let (layer, step, seed) = (self.layer_id, self.step, self.seed.unwrap_or(42));
        ensure!(
            layer.is_none() || self.rng == Rng::Philox,
            "--layer-id is for --rng philox: the masks of PyTorch and JAX do not depend on it"
        );
        ensure!(
            step.is_none() || self.rng != Rng::Torch,
            "--step is for --rng philox and jax: --rng-state says where PyTorch is in its sequence"
        );
        for (option, state) in [("--rng-state", &self.rng_state), ("--save-rng-state", &self.save_rng_state)] {
            ensure!(state.is_none() || self.rng == Rng::Torch, "{option} is for --rng torch");
        }
        let (layer, step) = (layer.unwrap_or_default(), step.unwrap_or_default());
        let generator = Generator::torch(seed);
        match (self.rng, &self.rng_state) {
            (Rng::Philox, _) => generator.set_state(GeneratorState::philox(seed, layer, [(layer, step)])),
            (Rng::Jax, _) => generator.set_state(GeneratorState::jax(JaxKey::new(seed), step)),
            (Rng::Torch, None) => {}
            (Rng::Torch, Some(_)) if self.seed.is_some() => bail!("--seed and --rng-state exclude each other"),
            (Rng::Torch, Some(path)) => {
                let bytes = read_npy_bytes(path)?;
                generator.set_torch_rng_state(&bytes).with_context(|| path.display().to_string())?;
            }
        }
        Ok(generator)
    }

    fn layer(&self, generator: &Generator) -> Result<Layer> {
        let mut layer = Layer::with_generator(self.layer, self.p.get(), generator)?;
        if self.eval {
            layer.eval();
        }
        Ok(layer)
    }
}

/// Which of `count` elements are kept, packed in row-major order.
fn kept(draw: Option<&Draw>, count: usize) -> Result<Vec<u8>> {
    let mut scales = vec![1f32; count];
    if let Some(draw) = draw {
        draw.backward_inplace(&mut scales)?;
    }
    let byte = |scales: &[f32]| scales.iter().rev().fold(0, |byte, &scale| byte << 1 | u8::from(scale != 0.0));
    Ok(scales.chunks(8).map(byte).collect())
}
