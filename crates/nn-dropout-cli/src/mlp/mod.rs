//! A multi-layer perceptron for tables: the model, and what trains it.

mod cells;
mod data;
mod model;
mod predict;
mod report;
mod schema;
mod train;
mod training;
mod uncertainty;

pub use data::Table;
pub use predict::{PredictArgs, predict};
pub use train::{keep, train};
pub use training::MlpTraining;
