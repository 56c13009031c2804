//! Random number generators, each as plain as its paper: what the masks are specified by.

pub mod mt19937;
pub mod philox;
pub mod threefry;
