//! A multi-layer perceptron for tables: trained, saved, and used for predictions.

pub mod model;
pub mod prediction;
pub mod run;
pub mod scores;
pub mod trainer;
pub mod uncertainty;
