//! The specification of every mask, scalar and plain: a probability, three generators, the bits and numbers
//! that their words become, and which of these an element gets. Whatever is faster is tested against it. It knows nothing of kernels.

mod checked;
pub mod index;
pub mod magnitude;
pub mod mask;
pub mod mt19937;
pub mod number;
pub mod philox;
pub mod probability;
pub mod stored;
pub mod threefry;
