//! The perceptron that the settings and a table's schema make.

use std::iter;

use burn::tensor::Device;
use nn_dropout::{Config, Generator};
use nn_dropout_burn::DropoutLayer;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::settings::MlpSettings;
use crate::table::Schema;
use crate::trainer::Activations;

pub type Mlp = nn_dropout_models::Mlp<DropoutLayer>;

/// What its dropout is applied to.
pub const ACTIVATIONS: Activations = Activations { name: "a perceptron's [rows, units]", shapes: &[&[4]] };

/// The number of units in each layer, from the features to the outputs.
pub fn sizes(settings: &MlpSettings, schema: &Schema) -> Vec<usize> {
    let hidden = settings.hidden.iter().map(|size| size.get());
    iter::once(schema.inputs()).chain(hidden).chain(iter::once(schema.target.outputs())).collect()
}

/// A model with weights drawn from `rng`. Burn's own random numbers come from a state that all threads of a process share.
pub fn new_model(
    sizes: &[usize],
    settings: &MlpSettings,
    rng: &mut ChaCha8Rng,
    generator: &Generator,
    device: &Device,
) -> Mlp {
    let model =
        Mlp::new(sizes, |bound| rng.random_range(-bound..bound), || layer(&settings.dropout, generator), device);
    match &settings.input_dropout {
        Some(config) => model.with_input_dropout(layer(config, generator)),
        None => model,
    }
}

/// A dropout layer with masks from a generator.
pub fn layer(config: &Config, generator: &Generator) -> DropoutLayer {
    DropoutLayer::from_config(config.clone(), generator)
}
