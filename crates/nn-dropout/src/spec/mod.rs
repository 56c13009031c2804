//! The specification of every mask, scalar and plain: a probability, three generators, what each makes of its words, and
//! which bit of a mask an element gets. Whatever is faster is tested against it. It knows nothing of kernels.

pub mod index;
pub mod mask;
pub mod mt19937;
pub mod philox;
pub mod probability;
pub mod stored;
pub mod threefry;
