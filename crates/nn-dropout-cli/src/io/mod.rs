//! Files: how they are read and written, and the folder of a run.

pub mod files;
pub mod guard;
pub mod input;
pub mod npy;
pub mod run_dir;
mod safetensors;
pub mod source;
pub mod tensors;
pub mod text;
pub mod weights;
