//! Which dropout rate is right for a table: perceptrons are trained on it, compared, and the answer comes with its uncertainty.
//!
//! It is what the program `nn-dropout` and its page share. From the bottom up: [`settings`] say what an experiment is, [`table`] reads
//! and encodes the data, [`mlp`] trains a network and scores it, and [`sweep`] says what many trainings show together.

#![allow(missing_docs, reason = "only the crates of this project use it")]
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "for the same reason")]
#![allow(clippy::len_without_is_empty, reason = "what cannot be empty need not be asked")]

pub mod device;
pub mod interrupt;
pub mod io;
pub mod metric;
pub mod mlp;
pub mod settings;
pub mod sweep;
pub mod table;
pub mod trainer;
pub mod words;
