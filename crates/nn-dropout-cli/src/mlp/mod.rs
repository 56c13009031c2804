//! A multi-layer perceptron for tables: the model, and what trains it.

mod data;
mod model;
mod report;
mod train;

pub use train::train;
