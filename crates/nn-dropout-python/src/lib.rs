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
    use serde::Deserialize;

    #[pymodule_export]
    use crate::draw::Draw;
    #[pymodule_export]
    use crate::noise::Noise;

    /// The version of the package.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "it is Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// The instruction set in use: ``avx512``, ``avx2``, ``neon`` or ``portable``.
    #[pyo3::pyfunction]
    fn kernel_name() -> &'static str {
        nn_dropout::kernel_name()
    }

    /// The 256 cubic polynomials that normal numbers are made of: four coefficients each, in units of 2^-29.
    #[pyo3::pyfunction]
    fn normal_table() -> Vec<[u32; 4]> {
        nn_dropout::Distribution::NORMAL_PIECES.to_vec()
    }

    /// What a schedule, in JSON, multiplies the amount of noise by in a step of the training.
    #[pyo3::pyfunction]
    fn schedule_factor(json: &str, step: u64) -> pyo3::PyResult<f64> {
        let value: serde_json::Value = serde_json::from_str(json).map_err(crate::noise::value_error)?;
        let schedule = nn_dropout::Schedule::deserialize(value).map_err(crate::noise::value_error)?;
        Ok(schedule.factor(step))
    }
}
