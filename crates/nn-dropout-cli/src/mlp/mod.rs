//! A multi-layer perceptron for tables: the model, and what trains it.

mod data;
mod model;
mod predict;
mod report;
mod train;

pub use predict::{PredictArgs, predict};
pub use train::train;
