//! A GPT: the model, and what trains it and speaks with it.

mod checkpoint;
mod generate;
mod model;
mod report;
mod tokens;
mod train;
mod training;

use nn_dropout_burn::Dropout;

pub use generate::{GenerateArgs, generate};
pub use model::GptConfig;
pub use train::train;
pub use training::{GptTraining, Source, load};
