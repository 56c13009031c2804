//! Files: how they are read and written, and the folder of a run.

pub mod files;
pub mod npy;
pub mod run_dir;
mod safetensors;
pub mod tensors;
pub mod weights;
