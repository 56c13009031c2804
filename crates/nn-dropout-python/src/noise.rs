//! What a layer does, and the draws that it makes.

use nn_dropout::{Config, Element, Generator, GeneratorState, Layer, Mode, bf16, f16};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde::Deserialize;

use crate::draw::{Draw, dispatch, is_linear};
use crate::memory;

/// What a layer does: its kind and its options. It is read from JSON, as a configuration file says it; how much noise there is, is
/// said anew for each draw.
#[pyclass(frozen, module = "nn_dropout._core")]
pub struct Noise {
    config: Config,
}

impl Noise {
    fn layer(&self, generator: &Generator, amount: f64) -> PyResult<Layer> {
        let config = self.config.clone().with_amount(amount).map_err(value_error)?;
        Ok(Layer::from_config(config, generator))
    }
}

#[pymethods]
impl Noise {
    #[new]
    fn new(json: &str) -> PyResult<Self> {
        // By way of a value, since errors in text end with a line and a column.
        let value: serde_json::Value = serde_json::from_str(json).map_err(value_error)?;
        Ok(Self { config: Config::deserialize(value).map_err(value_error)? })
    }

    /// Raises `ValueError` if there cannot be this much noise.
    fn check(&self, amount: f64) -> PyResult<()> {
        self.config.clone().with_amount(amount).map(drop).map_err(value_error)
    }

    /// The draw of the mask with this seed for a tensor of this shape, or `None` where there is nothing to drop. A tensor that is
    /// a part of a whole has an offset in it.
    #[pyo3(signature = (seed, shape, amount, monte_carlo=false, whole=None, offset=None, *, layer=0, step=0))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn draw(
        &self,
        seed: u64,
        shape: Vec<usize>,
        amount: f64,
        monte_carlo: bool,
        whole: Option<Vec<usize>>,
        offset: Option<Vec<usize>>,
        layer: u32,
        step: u32,
    ) -> PyResult<Option<Draw>> {
        let generator = Generator::from_state(GeneratorState::philox(seed, layer, [(layer, step)]));
        let mut layer = self.layer(&generator, amount)?;
        if monte_carlo {
            layer.set_mode(Mode::MonteCarlo);
        }
        let draw = layer.draw(whole.as_ref().unwrap_or(&shape)).map_err(runtime_error)?;
        let part = |draw: nn_dropout::Draw| match (&whole, &offset) {
            (Some(whole), Some(offset)) => draw.block(whole, offset, &shape).map_err(value_error),
            _ => Ok(draw),
        };
        Ok(draw.map(part).transpose()?.map(|draw| Draw::new(draw, shape)))
    }

    /// Writes what each element of a tensor of this shape is multiplied by, in row-major order, to address `y`, and says whether
    /// that is all: the draw is that of `draw`. If there is more, or nothing to drop, nothing is written.
    ///
    /// # Safety
    ///
    /// There are elements of this type for the shape, and nobody else uses them during the call.
    fn scales(&self, seed: u64, shape: Vec<usize>, amount: f64, dtype: &str, y: usize) -> PyResult<bool> {
        let layer = self.layer(&Generator::philox(seed), amount)?;
        match layer.draw(&shape).map_err(runtime_error)? {
            Some(draw) if is_linear(&draw) => {
                let count = shape.iter().product();
                // SAFETY: the caller's promise.
                unsafe { dispatch!(dtype, write_scales(&draw, count, y)) }.map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// The next draw of PyTorch's generator on the CPU, whose state, as `torch.get_rng_state()` returns it, is at the address
    /// `state` and is advanced there. PyTorch draws in the order of memory: `strides` has the tensor's.
    ///
    /// # Safety
    ///
    /// Nobody else uses the memory of the state during the call.
    fn torch_draw(
        &self,
        py: Python<'_>,
        state: usize,
        shape: Vec<usize>,
        strides: Vec<isize>,
        amount: f64,
    ) -> PyResult<Option<Draw>> {
        // SAFETY: the caller's promise.
        let state = unsafe { memory::slice_mut::<u8>(state, TORCH_STATE) };
        let generator = Generator::torch(0);
        generator.set_torch_rng_state(state).map_err(value_error)?;
        let layer = self.layer(&generator, amount)?;
        let order = || Some(memory::order(&strides));
        let draw = py.detach(|| layer.draw_in_order(&shape, order)).map_err(runtime_error)?;
        state.copy_from_slice(&generator.torch_rng_state().expect("it draws PyTorch's masks"));
        Ok(draw.map(|draw| Draw::new(draw, shape)))
    }
}

/// # Safety
///
/// As for [`Noise::scales`], for `count` elements of type `T`.
unsafe fn write_scales<T: Element>(draw: &nn_dropout::Draw, count: usize, y: usize) -> PyResult<()> {
    // SAFETY: the caller's promise.
    let scales: &mut [T] = unsafe { memory::slice_mut(y, count) };
    scales.fill(T::narrow(1.0));
    draw.forward_inplace(scales).map_err(value_error)
}

/// The size of PyTorch's state in bytes.
const TORCH_STATE: usize = 5056;

pub fn value_error(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// What PyTorch raises for a tensor that a layer does not take.
pub fn runtime_error(error: impl ToString) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}
