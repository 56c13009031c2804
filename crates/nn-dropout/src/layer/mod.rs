//! The layers, a file each. Each of them only decides what to draw.

mod dropout;

pub use dropout::Dropout;
