//! Files: how they are read and written, and the folder of a run.

pub mod files;
pub mod guard;
pub mod input;
pub mod run_dir;
pub mod source;
pub mod tensors;
pub mod text;
pub mod weights;
