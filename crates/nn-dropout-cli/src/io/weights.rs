//! The weights of models, as PyTorch saves them.

use anyhow::{Context, Result, anyhow, bail, ensure};
use burn::module::Module;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore};
use nn_dropout_experiments::io::guard::guard;
use safetensors::{Dtype, SafeTensors};

/// A `.safetensors` file of a model's weights, named and laid out as PyTorch does.
pub fn to_bytes<M: Module>(model: &M) -> Result<Vec<u8>> {
    let mut store = SafetensorsStore::from_bytes(None)
        .clear_metadata()
        .metadata("format", "pt")
        .with_to_adapter(BurnToPyTorchAdapter);
    model.save_into(&mut store).context("cannot save the weights")?;
    store.get_bytes().context("cannot save the weights")
}

/// The model with the weights of such a file. It has a tensor for each weight, and any other tensor is ignored or refused.
pub fn load<M: Module>(mut model: M, bytes: Vec<u8>, is_ignored: fn(&str) -> bool) -> Result<M> {
    let own = to_bytes(&model)?;
    check(&SafeTensors::deserialize(&own)?, &parse(&bytes)?, is_ignored)?;
    let mut store = SafetensorsStore::from_bytes(Some(bytes)).with_from_adapter(PyTorchToBurnAdapter);
    guard(|| {
        model.load_from(&mut store).map_err(|error| anyhow!("{}", error.to_string().replace('\n', " ")))?;
        Ok(model)
    })
}

fn check(own: &SafeTensors, given: &SafeTensors, is_ignored: fn(&str) -> bool) -> Result<()> {
    let mut names = own.names();
    names.sort_unstable();
    for name in names {
        let (own, given) = (own.tensor(name)?, given.tensor(name));
        let given = given.map_err(|_| anyhow!("there is no tensor `{name}`"))?;
        let [theirs, ours] = [given.shape(), own.shape()];
        ensure!(
            theirs == ours,
            "tensor `{name}` has the shape {theirs:?}, and the sizes of the model make it {ours:?}"
        );
        ensure!(
            given.dtype() == Dtype::F32,
            "tensor `{name}`: expected numbers of type F32, but got {:?}",
            given.dtype()
        );
    }
    match given.names().into_iter().filter(|name| own.tensor(name).is_err() && !is_ignored(name)).min() {
        Some(name) => bail!("the model has no tensor `{name}`, by its sizes and whether it has biases"),
        None => Ok(()),
    }
}

pub fn parse(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).map_err(|error| anyhow!("not a .safetensors file: {error}"))
}
