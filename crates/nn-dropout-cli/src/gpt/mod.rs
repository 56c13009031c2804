//! A GPT: trained on a text, saved, and used to continue one.

pub mod checkpoint;
pub mod model;
pub mod optimizer;
pub mod run;
pub mod sampling;
pub mod source;
pub mod tokens;
pub mod trainer;
