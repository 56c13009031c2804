//! The compiled core of the Python package: draws of all layers (`noise`), applied to memory that Python's tensors own (`draw`).
//!
//! It knows no framework. A tensor is an address, a type, a shape and strides; the Python files over it answer for these.

mod draw;
mod memory;
mod noise;
mod threads;

/// The compiled core of `nn_dropout`.
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::draw::Draw;
    #[pymodule_export]
    use crate::noise::Noise;

    /// The instruction set in use: ``avx512``, ``avx2``, ``neon`` or ``portable``.
    #[pyo3::pyfunction]
    fn kernel_name() -> &'static str {
        nn_dropout::kernel_name()
    }
}
