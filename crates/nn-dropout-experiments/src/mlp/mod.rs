//! A multi-layer perceptron for tables: trained, scored, and used for predictions.

pub mod model;
pub mod prediction;
pub mod scores;
pub mod trainer;
pub mod uncertainty;
