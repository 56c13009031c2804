//! The same model, with Burn's own dropout.

use burn::nn::{Dropout, DropoutConfig};

#[path = "../../../crates/nn-dropout-cli/src/gpt/model.rs"]
pub mod model;

pub fn dropout(p: f64) -> Dropout {
    DropoutConfig::new(p).init()
}
