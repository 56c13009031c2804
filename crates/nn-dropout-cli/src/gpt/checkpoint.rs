//! Checkpoints: the whole state of a training in one file; and the weights that it can start with.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use nn_dropout::{Generator, GeneratorState};
use nn_dropout_experiments::io::files;
use nn_dropout_experiments::io::guard::guard;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::model::Gpt;
use crate::io::input::Input;
use crate::io::weights;

/// The state of a run besides the weights and the optimiser.
pub struct Progress {
    /// The number of steps so far.
    pub step: usize,
    /// `metrics.csv` so far.
    pub metrics: String,
}

/// The file has the weights with nanoGPT's names, the optimiser's state as bytes, and the rest as metadata.
pub fn to_bytes(
    model: &Gpt,
    optimizer: &ModuleOptimizer,
    generator: &Generator,
    progress: &Progress,
    inputs: &[Input],
) -> Result<Vec<u8>> {
    let weights = weights::to_bytes(model)?;
    let optimizer = optimizer.into_bytes().map_err(|error| anyhow!("cannot save the optimiser: {error}"))?;
    let mut tensors = SafeTensors::deserialize(&weights)?.tensors();
    tensors.push((OPTIMIZER.to_owned(), TensorView::new(Dtype::U8, vec![optimizer.len()], &optimizer)?));
    let mut metadata = BTreeMap::from([
        (STEP.to_owned(), progress.step.to_string()),
        (METRICS.to_owned(), progress.metrics.clone()),
        (GENERATOR.to_owned(), serde_json::to_string(&generator.state())?),
        (INPUTS.to_owned(), serde_json::to_string(inputs)?),
    ]);
    metadata.insert(BLAKE3.to_owned(), digest(&tensors, &metadata));
    Ok(safetensors::serialize(tensors, Some(metadata.into_iter().collect()))?)
}

const OPTIMIZER: &str = "optimizer";
const STEP: &str = "step";
const METRICS: &str = "metrics";
const GENERATOR: &str = "generator";
const INPUTS: &str = "inputs";
const BLAKE3: &str = "blake3";

/// The hash of all that is in a checkpoint, but the hash. Most of it is bytes, in which no reader can see any damage.
fn digest(tensors: &[(String, TensorView)], metadata: &BTreeMap<String, String>) -> String {
    let tensors = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), format!("{:?} {:?}", tensor.dtype(), tensor.shape()), tensor.data()));
    let entries = metadata.iter().filter(|(name, _)| *name != BLAKE3);
    let entries = entries.map(|(name, value)| (name.as_str(), "metadata".to_owned(), value.as_bytes()));
    let mut parts: Vec<_> = tensors.chain(entries).collect();
    parts.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for (name, form, data) in parts {
        for part in [name.as_bytes(), form.as_bytes(), data] {
            hasher.update(&part.len().to_le_bytes()).update(part);
        }
    }
    hasher.finalize().to_string()
}

/// The metadata of a file. What has a hash is a checkpoint, and has to be intact.
fn metadata(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
    let tensors = weights::parse(bytes)?.tensors();
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata = header.metadata().iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    let is_intact = |hash: &String| *hash == digest(&tensors, &metadata);
    ensure!(metadata.get(BLAKE3).is_none_or(is_intact), "the checkpoint is damaged");
    Ok(metadata)
}

/// The files that the training depends on.
pub fn inputs(bytes: &[u8]) -> Result<Vec<Input>> {
    let metadata = metadata(bytes)?;
    Ok(serde_json::from_str(metadata.get(INPUTS).context("not a checkpoint")?)?)
}

/// Restores a model, an optimiser and a generator from a checkpoint.
pub fn load(
    bytes: Vec<u8>,
    model: Gpt,
    optimizer: ModuleOptimizer,
    generator: &Generator,
) -> Result<(Gpt, ModuleOptimizer, Progress)> {
    let metadata = metadata(&bytes)?;
    let entry = |name: &str| metadata.get(name).context("not a checkpoint");
    entry(BLAKE3)?;
    let optimizer = load_optimizer(optimizer, weights::parse(&bytes)?.tensor(OPTIMIZER)?.data())?;
    let state: GeneratorState = serde_json::from_str(entry(GENERATOR)?)?;
    let progress = Progress { step: entry(STEP)?.parse()?, metrics: entry(METRICS)?.clone() };
    let model = weights::load(model, bytes, is_ignored)?;
    generator.set_state(state);
    Ok((model, optimizer, progress))
}

/// The optimiser with the state of another.
pub fn load_optimizer(optimizer: ModuleOptimizer, bytes: &[u8]) -> Result<ModuleOptimizer> {
    guard(|| {
        let loaded = optimizer.from_bytes(burn::tensor::Bytes::from_bytes_vec(bytes.to_vec()));
        loaded.map_err(|error| anyhow!("the optimiser's state: {error}"))
    })
}

/// The model with the weights of nanoGPT's `state_dict`, or of a checkpoint.
pub fn read_weights(path: &Path, model: Gpt) -> Result<Gpt> {
    let bytes = files::read(path)?;
    let load = || {
        metadata(&bytes)?;
        weights::load(model, bytes, is_ignored)
    };
    load().with_context(|| path.display().to_string())
}

/// The tensors that are not weights: nanoGPT's copies and constants, and the optimiser in checkpoints.
fn is_ignored(name: &str) -> bool {
    name == OPTIMIZER || name == "lm_head.weight" || name.ends_with(".attn.bias")
}

/// The number of tokens of the model with these weights.
pub fn vocab_size(path: &Path) -> Result<usize> {
    let bytes = files::read(path)?;
    let rows = || {
        let embedding = weights::parse(&bytes)?.tensor("transformer.wte.weight").map(|tensor| tensor.shape().to_vec());
        let shape = embedding.map_err(|_| anyhow!("there is no tensor `transformer.wte.weight`"))?;
        shape.first().copied().context("tensor `transformer.wte.weight` has no dimension")
    };
    rows().with_context(|| path.display().to_string())
}

/// Numbers the parameters in order. An optimiser's state names them by number, and Burn's own numbers are random.
pub fn number_parameters(model: Gpt) -> Gpt {
    struct Number(u64);
    impl ModuleMapper for Number {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (_, value, mapper) = param.consume();
            self.0 += 1;
            Param::from_mapped_value(ParamId::from(self.0), value, mapper)
        }
    }
    model.map(&mut Number(0))
}
