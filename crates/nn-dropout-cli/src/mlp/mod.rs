//! A multi-layer perceptron for tables: the model, and what trains it.

mod data;
mod model;
mod predict;
mod report;
mod train;
mod training;

pub use data::Table;
pub use predict::{PredictArgs, predict};
pub use train::train;
pub use training::MlpTraining;
