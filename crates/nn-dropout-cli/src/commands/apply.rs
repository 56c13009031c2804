//! `nn-dropout apply`: a layer's noise on tensors in files, for comparison with other tools.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use nn_dropout::{Draw, Generator, GeneratorState, Index, Input, JaxKey, Kind, Layer, Mode};
use nn_dropout_experiments::interrupt;
use nn_dropout_experiments::io::files::{Staged, is_same_file, publish};
use nn_dropout_experiments::settings::layer::LayerOptions;
use nn_dropout_experiments::settings::numbers::{seed, whole};

use super::Ended;
use crate::ctrl_c;
use crate::io::npy::{npy_from_bytes, read_npy_bytes};
use crate::io::tensors::{Format, TensorFile, parts};

/// Apply a layer to the tensors in a file
///
/// A .safetensors file can hold several: the layer is called with one after another, in the order of their names. Files may be
/// larger than memory.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct ApplyArgs {
    /// A .npy file of float16, float32 or float64, in C or Fortran order, or a .safetensors file of F16, BF16, F32 or F64
    input: PathBuf,
    /// The file to write, in the same format as the input
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    layer: LayerOptions,
    /// Which masks to draw: our own (philox), PyTorch's on the CPU (torch), or JAX's (jax)
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
    /// Call the layer in Monte Carlo mode: all samples, the first axis, share the mask
    #[arg(long)]
    monte_carlo: bool,
    /// Each tensor is a part of a whole of this shape, as ranks have parts, and gets its part of the whole's noise
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',', value_parser = whole::<usize>)]
    whole_shape: Option<Vec<usize>>,
    /// The coordinates within the whole of the first element of each tensor
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = whole::<usize>)]
    offset: Option<Vec<usize>>,
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
    let outputs = [Some(&args.output), args.save_rng_state.as_ref(), args.bits.as_ref()];
    let outputs: Vec<_> = outputs.into_iter().flatten().collect();
    for (i, path) in outputs.iter().enumerate() {
        let is_same = |other: &&PathBuf| is_same_file(other, path);
        ensure!(!outputs[..i].iter().any(is_same), "two outputs have the name {}", path.display());
    }
    let kind = args.layer.kind();
    let has_bits = !kind.takes_numbers();
    ensure!(has_bits || args.bits.is_none(), "--bits is for layers that keep or drop: {} does neither", kind.name());
    let part = args.part()?;
    let generator = args.generator()?;
    let layer = args.layer(&generator)?;
    let file = TensorFile::open(&args.input)?;
    for tensor in file.tensors() {
        part.iter().try_for_each(|part| part.check(&tensor.shape)).with_context(|| args.input.display().to_string())?;
    }
    ctrl_c::listen()?;
    let mut output = Staged::new(&args.output)?;
    let mut state = args.save_rng_state.as_deref().map(Staged::new).transpose()?;
    let mut bits = args.bits.as_deref().map(Staged::new).transpose()?;

    output.write(file.header())?;
    for tensor in file.tensors() {
        let mut passage = file.pass(tensor, &mut output);
        if let Some(part) = &part {
            passage = passage.within(part.whole);
        }
        let mut draw = layer.draw_for(&passage).with_context(|| args.input.display().to_string())?;
        if let (Some(part), Some(draw)) = (&part, &mut draw) {
            *draw = draw.block(part.whole, part.offset, &tensor.shape)?;
        }
        if let Some(bits) = &mut bits {
            write_kept(bits, draw.as_ref(), tensor.count())?;
        }
        match draw {
            Some(draw) => passage.apply(&draw)?,
            None => passage.identity()?,
        }
    }
    if let (Some(state), Some(bytes)) = (&mut state, generator.torch_rng_state()) {
        state.write(&npy_from_bytes(&bytes)?)?;
    }
    // An interrupt has cut the tensors short.
    if interrupt::noted() {
        return Ok(Ended::Interrupted);
    }
    // Not every system replaces a file that is open.
    drop(file);
    publish([Some(output), state, bits].into_iter().flatten())?;
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
        let mut layer = Layer::from_config(self.layer.config()?, generator);
        match (self.eval, self.monte_carlo) {
            (true, true) => bail!("--eval and --monte-carlo exclude each other"),
            (true, false) => layer.set_mode(Mode::Eval),
            (false, true) => layer.set_mode(Mode::MonteCarlo),
            (false, false) => &mut layer,
        };
        Ok(layer)
    }

    /// Where the tensors lie within a whole, if they are parts of one.
    fn part(&self) -> Result<Option<Part<'_>>> {
        let (whole, offset) = match (&self.whole_shape, &self.offset) {
            (None, None) => return Ok(None),
            (Some(whole), Some(offset)) => (whole, offset),
            _ => bail!("--whole-shape and --offset belong together: a part has both"),
        };
        let holds_bits = self.rng == Rng::Torch || matches!(self.layer.kind(), Kind::DropBlock2d | Kind::DropBlock3d);
        let bits = if holds_bits { 36 } else { 63 };
        let count = whole.iter().try_fold(1, |count: u64, &size| count.checked_mul(size as u64));
        let why = if holds_bits { ", with one bit for each in memory" } else { "" };
        ensure!(
            count.is_some_and(|count| count < 1 << bits),
            "--whole-shape {}: a whole has less than 2^{bits} elements{why}",
            joined(whole)
        );
        Ok(Some(Part { whole, offset }))
    }
}

/// Where tensors lie within a larger one.
struct Part<'a> {
    whole: &'a [usize],
    offset: &'a [usize],
}

impl Part<'_> {
    /// Refuses a tensor that does not lie there.
    fn check(&self, shape: &[usize]) -> Result<()> {
        let Self { whole, offset } = self;
        let message = || {
            let (whole, offset) = (joined(whole), joined(offset));
            format!("a tensor of shape {shape:?} at --offset {offset} does not lie within --whole-shape {whole}")
        };
        Index::of(whole).block(whole, offset, shape).map(drop).map_err(|_| anyhow!(message()))
    }
}

/// Numbers as they are on the command line.
fn joined(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// How many elements are asked about at once. It is a multiple of 8.
const ASKED: usize = 1 << 20;

/// Writes which of `count` elements are kept, packed in row-major order.
fn write_kept(file: &mut Staged, draw: Option<&Draw>, count: u64) -> Result<()> {
    // Without shifts, so that what is dropped is 0.
    let scaling = draw.map(Draw::gradient);
    let byte = |scales: &[f32]| scales.iter().rev().fold(0, |byte, &scale| byte << 1 | u8::from(scale != 0.0));
    let mut scales = Vec::new();
    for (first, count) in parts(count, ASKED) {
        scales.clear();
        scales.resize(count, 1_f32);
        if let Some(scaling) = &scaling {
            scaling.forward_inplace_at(first, &mut scales)?;
        }
        file.write(&scales.chunks(8).map(byte).collect::<Vec<u8>>())?;
    }
    Ok(())
}
