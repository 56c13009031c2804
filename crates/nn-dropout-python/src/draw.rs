//! A draw, and its forward and backward over memory.

use ndarray::ArrayViewMutD;
use nn_dropout::{Affine, Axis, Distribution, Effect, Element, Index, Input, bf16, f16};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::memory;
use crate::noise::value_error;
use crate::threads::with_threads;

/// A layer's noise for one call, on a tensor of one shape.
#[pyclass(frozen, module = "nn_dropout._core")]
pub struct Draw {
    draw: nn_dropout::Draw,
    shape: Vec<usize>,
}

impl Draw {
    pub const fn new(draw: nn_dropout::Draw, shape: Vec<usize>) -> Self {
        Self { draw, shape }
    }

    fn with(&self, draw: nn_dropout::Draw) -> Self {
        Self { draw, shape: self.shape.clone() }
    }
}

/// Calls `$apply::<T>($arguments)` with the element type of this name.
macro_rules! dispatch {
    ($dtype:expr, $apply:ident($($argument:expr),*)) => {
        match $dtype {
            "float32" => $apply::<f32>($($argument),*),
            "float64" => $apply::<f64>($($argument),*),
            "float16" => $apply::<f16>($($argument),*),
            "bfloat16" => $apply::<bf16>($($argument),*),
            other => return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                "elements have to be float32, float64, float16 or bfloat16, but got {other}"
            ))),
        }
    };
}
pub(crate) use dispatch;

#[pymethods]
impl Draw {
    /// The draw that `to_json` has written.
    #[staticmethod]
    fn from_json(json: &str, shape: Vec<usize>) -> PyResult<Self> {
        let draw: nn_dropout::Draw = serde_json::from_str(json).map_err(value_error)?;
        draw.index().strides(&shape).map_err(value_error)?;
        // Whether the mask has bits for all elements is known to who applies it.
        draw.forward::<f32>(&[], &mut []).map_err(value_error)?;
        Ok(Self { draw, shape })
    }

    /// Its mask, index map and effect: all that there is to save.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.draw).map_err(value_error)
    }

    /// The sizes of the tensor's axes.
    #[getter]
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    /// The draw for the backward pass: the same scales, and no shifts.
    fn gradient(&self) -> Self {
        self.with(self.draw.gradient())
    }

    /// The draw that keeps, without scaling, what this one drops.
    fn complement(&self) -> Self {
        self.with(self.draw.complement())
    }

    /// The draw for complex numbers, as pairs of real ones: a tensor with one more axis, of size 2.
    fn complex(&self) -> PyResult<Self> {
        if !is_linear(&self.draw) {
            return Err(PyTypeError::new_err("complex tensors can be scaled, but this noise is added to numbers"));
        }
        let index = self.draw.index();
        let axes = index.axes().iter().map(|&Axis { size, stride }| (size, stride)).chain([(2, 0)]);
        let shape = self.shape.iter().copied().chain([2]).collect();
        Ok(Self { draw: self.draw.clone().with_index(Index::new(index.start(), axes)), shape })
    }

    /// Writes the noisy tensor at address `x` to address `y`, which may be the same. Elements of both lie one after the other in
    /// row-major order, or as `strides` say, in elements; then `x` is not read, but what is at `y`. With `gradient` it is the
    /// backward pass.
    ///
    /// # Safety
    ///
    /// - Both have this many elements, of this type, and those of `y` do not share memory.
    /// - Nobody writes `x` or uses `y` during the call.
    #[pyo3(signature = (dtype, x, y, count, threads, gradient=false, strides=None))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn apply(
        &self,
        py: Python<'_>,
        dtype: &str,
        x: usize,
        y: usize,
        count: usize,
        threads: usize,
        gradient: bool,
        strides: Option<Vec<isize>>,
    ) -> PyResult<()> {
        if count != self.shape.iter().product::<usize>() {
            let error = format!("a draw for a tensor of shape {:?} got {count} elements", self.shape);
            return Err(PyValueError::new_err(error));
        }
        // SAFETY: the caller's promise.
        unsafe { dispatch!(dtype, apply(self, py, [x, y], gradient, strides.as_deref(), threads)) }
    }

    /// The effect as a formula and its numbers, for kernels elsewhere: see `_philox` and `_triton` in `nn_dropout.torch`.
    fn affine(&self, dtype: &str) -> PyResult<(&'static str, Vec<f64>)> {
        Ok(dispatch!(dtype, affine(&self.draw)))
    }

    /// The bit of the first element, and the size and stride of each axis.
    fn index(&self) -> (u64, Vec<(u64, u64)>) {
        let index = self.draw.index();
        (index.start(), index.axes().iter().map(|axis| (axis.size, axis.stride)).collect())
    }

    /// The probability that an element is dropped.
    #[getter]
    fn p(&self) -> f64 {
        self.draw.mask().p().get()
    }

    /// The seed, layer and step of the mask, if it does not hold its bits.
    fn seed_layer_step(&self) -> Option<(u64, u32, u32)> {
        self.draw.mask().seed_layer_step()
    }

    /// The mask's bits, if it holds them: eight to a byte, the first in the lowest bit.
    fn bits<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let count = self.draw.mask().count()?;
        Some(PyBytes::new(py, &self.draw.mask().bits(0..count)))
    }

    /// Writes 1 to address `kept` for each element, in row-major order, that is kept, and 0 for each that is dropped.
    ///
    /// # Safety
    ///
    /// There is a byte for each element, and nobody else uses them during the call.
    fn kept(&self, py: Python<'_>, kept: usize) -> PyResult<()> {
        if self.draw.effect().takes_numbers() {
            return Err(PyValueError::new_err("noise that is made of numbers keeps and drops nothing"));
        }
        // SAFETY: the caller's promise.
        let kept: &mut [u8] = unsafe { memory::slice_mut(kept, self.shape.iter().product()) };
        let draw = nn_dropout::Draw::new(self.draw.mask().clone(), self.draw.index().clone(), Effect::Keep);
        py.detach(|| {
            // No kernel writes bytes; those of numbers do, chunk by chunk.
            let mut ones = [0_f32; 4096];
            let mut first = 0;
            for bytes in kept.chunks_mut(ones.len()) {
                let ones = &mut ones[..bytes.len()];
                let input = [1.0; 4096];
                draw.on(&input[..bytes.len()]).at(first).write(ones).map_err(value_error)?;
                for (byte, one) in bytes.iter_mut().zip(ones) {
                    *byte = u8::from(*one == 1.0);
                }
                first += bytes.len() as u64;
            }
            Ok(())
        })
    }
}

/// # Safety
///
/// As for [`Draw::apply`], for elements of type `T`.
unsafe fn apply<T: Element>(
    draw: &Draw,
    py: Python<'_>,
    [x, y]: [usize; 2],
    gradient: bool,
    strides: Option<&[isize]>,
    threads: usize,
) -> PyResult<()> {
    let Draw { draw, shape } = draw;
    if strides.is_some_and(|strides| strides.len() != shape.len()) {
        return Err(PyValueError::new_err("a tensor has a stride for each of its axes"));
    }
    let count = shape.iter().product();
    let run = || {
        if let Some(strides) = strides {
            // SAFETY: the caller's promise.
            let view: ArrayViewMutD<T> = unsafe { memory::view(y, shape, strides) };
            view.apply(&if gradient { draw.gradient() } else { draw.clone() });
            return Ok(());
        }
        if x != y {
            memory::prefer_large_pages(y, count * size_of::<T>());
        }
        // SAFETY: as above.
        let output: &mut [T] = unsafe { memory::slice_mut(y, count) };
        // SAFETY: as above, where the two are not the same.
        let input = || unsafe { memory::slice(x, count) };
        match (gradient, x == y) {
            (false, false) => draw.forward(input(), output),
            (false, true) => draw.forward_inplace(output),
            (true, false) => draw.backward(input(), output),
            (true, true) => draw.backward_inplace(output),
        }
    };
    // Letting others run takes longer than a small tensor.
    let done = if count < 4096 { run() } else { py.detach(|| with_threads(threads, count, run)) };
    done.map_err(value_error)
}

/// Whether the noise is a product: no shift is added.
pub fn is_linear(draw: &nn_dropout::Draw) -> bool {
    matches!(draw.affine::<f64>(), Affine::Scale(_) | Affine::MultiplyBy(..))
}

/// The name of the formula, and its numbers.
fn affine<T: Element>(draw: &nn_dropout::Draw) -> (&'static str, Vec<f64>) {
    let wide = |numbers: &[T]| numbers.iter().map(|number| number.widen()).collect();
    match draw.affine::<T>() {
        Affine::Scale(scales) => ("scale", wide(&scales)),
        Affine::ScaleAndShift(scales, shifts) => ("scale_and_shift", wide(&[scales, shifts].concat())),
        Affine::MultiplyBy(_, amount) => ("multiply_by_normal", vec![amount]),
        Affine::Add(Distribution::Normal, amount) => ("add_normal", vec![amount]),
        Affine::Add(_, amount) => ("add_uniform", vec![amount]),
        // JAX's masks, which no layer of this package draws.
        other => unreachable!("{other:?}"),
    }
}
