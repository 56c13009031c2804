//! The weights of models as PyTorch saves them.

use anyhow::{Context, Result};
use burn::module::Module;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, SafetensorsStore};

/// A `.safetensors` file of a model's weights, named and laid out as PyTorch does.
pub fn to_bytes<M: Module>(model: &M) -> Result<Vec<u8>> {
    let mut store = SafetensorsStore::from_bytes(None)
        .clear_metadata()
        .metadata("format", "pt")
        .with_to_adapter(BurnToPyTorchAdapter);
    model.save_into(&mut store).context("cannot save the weights")?;
    store.get_bytes().context("cannot save the weights")
}
