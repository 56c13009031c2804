//! The program's GPT, with our dropout.

use nn_dropout_burn::{Dropout, DropoutConfig};

#[path = "../../../crates/nn-dropout-cli/src/gpt/model.rs"]
pub mod model;

pub fn dropout(p: f64) -> Dropout {
    DropoutConfig::new(p).init()
}
