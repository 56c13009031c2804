//! A GPT: the model, and what trains it and speaks with it.

mod checkpoint;
mod generate;
mod model;
mod report;
mod tokens;
mod train;

use nn_dropout_burn::Dropout;

pub use generate::{GenerateArgs, generate};
pub use train::train;
