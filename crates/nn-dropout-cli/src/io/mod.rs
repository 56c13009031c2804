//! Files of tensors and weights, and the folder of a run.

pub mod input;
pub mod npy;
pub mod run_dir;
mod safetensors;
pub mod tensors;
pub mod weights;
