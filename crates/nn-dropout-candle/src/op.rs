//! The one operation behind every layer: a draw, applied to a tensor.

use std::sync::Once;

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::op::Add;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, DType, Error, Layout, MetalStorage, Result, Shape, Tensor, bail,
};
use nn_dropout::{Axis, Draw, Effect, Element, Index};
use rayon::prelude::*;

/// A [`Draw`] as an operation of candle, for noise that no layer makes: `y = noise(x)` with [`Tensor::apply_op1`], and
/// `y = residual + noise(x)` in one pass with [`Tensor::apply_op2`].
///
/// The tensors may be of f64, f32, f16, bf16 or f8e4m3, and lie in memory in any way. The backward pass applies the draw to
/// the gradient; the operation keeps no tensor for it. Gradients of gradients work too.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nn_dropout::{Draw, Mask, Probability};
/// use nn_dropout_candle::ApplyDraw;
///
/// let draw = Draw::dropout(Mask::philox(42, 0, 0, Probability::new(0.5)?));
/// let x = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
/// let noisy = x.apply_op1(ApplyDraw(draw.clone()))?;
/// let sum = x.apply_op2(&x, ApplyDraw(draw))?;
/// assert_eq!(sum.to_vec2::<f32>()?, (&x + noisy)?.to_vec2::<f32>()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ApplyDraw(pub Draw);

/// The memory of a tensor, and where its elements are in it.
type Stored<'a, S> = (&'a S, &'a Layout);

impl CustomOp1 for ApplyDraw {
    fn name(&self) -> &'static str {
        "nn-dropout"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((self.on_host((input, layout), None)?, layout.shape().clone()))
    }

    fn cuda_fwd(&self, input: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        self.through_host((input, layout), None)
    }

    fn metal_fwd(&self, input: &MetalStorage, layout: &Layout) -> Result<(MetalStorage, Shape)> {
        self.through_host((input, layout), None)
    }

    fn bwd(&self, _input: &Tensor, _output: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.gradient(grad).map(Some)
    }
}

impl CustomOp2 for ApplyDraw {
    fn name(&self) -> &'static str {
        "nn-dropout-add"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok((self.on_host((input, layout), Some((residual, residual_layout)))?, layout.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        input: &CudaStorage,
        layout: &Layout,
        residual: &CudaStorage,
        residual_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.through_host((input, layout), Some((residual, residual_layout)))
    }

    fn metal_fwd(
        &self,
        input: &MetalStorage,
        layout: &Layout,
        residual: &MetalStorage,
        residual_layout: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        self.through_host((input, layout), Some((residual, residual_layout)))
    }

    fn bwd(
        &self,
        _input: &Tensor,
        _residual: &Tensor,
        _output: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(self.gradient(grad)?), Some(grad.clone())))
    }
}

impl ApplyDraw {
    fn gradient(&self, grad: &Tensor) -> Result<Tensor> {
        match self.0.gradient() {
            draw if draw.effect() == Effect::Identity => Ok(grad.clone()),
            draw => grad.apply_op1(Self(draw)),
        }
    }

    fn on_host(&self, input: Stored<CpuStorage>, residual: Option<Stored<CpuStorage>>) -> Result<CpuStorage> {
        let (memory, layout) = input;
        if let Some((other, other_layout)) = residual
            && (memory.dtype(), layout.shape()) != (other.dtype(), other_layout.shape())
        {
            bail!(
                "a residual has to be of the same type and shape as the input, but got {} {:?} and {} {:?}",
                other.dtype().as_str(),
                other_layout.dims(),
                memory.dtype().as_str(),
                layout.dims()
            );
        }
        macro_rules! by_type {
            ($($type:ident)*) => {
                match (memory, residual) {
                    $(
                        (CpuStorage::$type(memory), None) => CpuStorage::$type(self.noisy(memory, layout)?),
                        (CpuStorage::$type(memory), Some((CpuStorage::$type(other), other_layout))) => {
                            CpuStorage::$type(self.sum((memory, layout), (other, other_layout))?)
                        }
                    )*
                    (CpuStorage::F8E4M3(_), _) => self.narrow(input, residual)?,
                    _ => bail!(
                        "noise is for tensors of f64, f32, f16, bf16 or f8e4m3, but got {}",
                        memory.dtype().as_str()
                    ),
                }
            };
        }
        Ok(by_type!(F64 F32 F16 BF16))
    }

    fn noisy<T: Element>(&self, memory: &[T], layout: &Layout) -> Result<Vec<T>> {
        let (input, draw) = (View::new(memory, layout), &self.0);
        if let Some(input) = input.as_slice() {
            return draw.forward_to_vec(input).map_err(Error::msg);
        }
        in_chunks(input.count, |first, chunk| {
            input.copy(first, chunk);
            draw.forward_inplace_at(first as u64, chunk).map_err(Error::msg)
        })
    }

    fn sum<T: Element>(
        &self,
        (memory, layout): (&[T], &Layout),
        (other, other_layout): (&[T], &Layout),
    ) -> Result<Vec<T>> {
        let (input, residual, draw) = (View::new(memory, layout), View::new(other, other_layout), &self.0);
        if let (Some(input), Some(residual)) = (input.as_slice(), residual.as_slice()) {
            let mut output = vec![T::default(); input.len()];
            draw.on(input).add(residual, &mut output).map_err(Error::msg)?;
            return Ok(output);
        }
        in_chunks(input.count, |first, chunk| {
            let mut noisy = vec![T::default(); chunk.len()];
            input.copy(first, &mut noisy);
            residual.copy(first, chunk);
            draw.on(&noisy).at(first as u64).add_to(chunk).map_err(Error::msg)
        })
    }

    /// Eight bits are computed with in f32, and rounded once.
    fn narrow(&self, (memory, layout): Stored<CpuStorage>, residual: Option<Stored<CpuStorage>>) -> Result<CpuStorage> {
        let row_major = Layout::contiguous(layout.shape());
        let wide = self.on_host((&memory.to_dtype(layout, DType::F32)?, &row_major), None)?;
        let noisy = wide.to_dtype(&row_major, DType::F8E4M3)?;
        match residual {
            Some((other, layout)) => other.binary_impl::<Add>(&noisy, layout, &row_major),
            None => Ok(noisy),
        }
    }

    /// For devices that have no kernel of ours.
    fn through_host<S: BackendStorage<Device: BackendDevice<Storage = S>>>(
        &self,
        (input, layout): Stored<S>,
        residual: Option<Stored<S>>,
    ) -> Result<(S, Shape)> {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            log::warn!("nn-dropout has no kernel for this device: each call copies its tensor to the host and back");
        });
        let on_host = input.to_cpu_storage()?;
        let other = residual.map(|(other, layout)| Ok::<_, Error>((other.to_cpu_storage()?, layout))).transpose()?;
        let residual = other.as_ref().map(|(other, layout)| (other, *layout));
        let output = self.on_host((&on_host, layout), residual)?;
        Ok((input.device().storage_from_cpu_storage_owned(output)?, layout.shape().clone()))
    }
}

/// The elements of a tensor in row-major order, wherever they are in memory.
struct View<'a, T> {
    /// From the first element on.
    memory: &'a [T],
    count: usize,
    /// Which number each has in it.
    index: Index,
}

impl<'a, T: Copy> View<'a, T> {
    fn new(memory: &'a [T], layout: &Layout) -> Self {
        let axes = layout.dims().iter().zip(layout.stride());
        let index = Index::new(0, axes.map(|(&size, &stride)| (size as u64, stride as u64)));
        // Without elements, the first one may be anywhere.
        let memory = memory.get(layout.start_offset()..).unwrap_or_default();
        Self { memory, count: layout.shape().elem_count(), index }
    }

    /// All elements, if they are in this order in memory too.
    fn as_slice(&self) -> Option<&'a [T]> {
        match self.index.axes() {
            _ if self.count == 0 => Some(&[]),
            [] | [Axis { stride: 1, .. }] => Some(&self.memory[..self.count]),
            _ => None,
        }
    }

    /// Fills `output` with the elements from number `first` on.
    fn copy(&self, first: usize, mut output: &mut [T]) {
        let Some(&Axis { size, stride }) = self.index.axes().last() else { return output.fill(self.memory[0]) };
        let size = size as usize;
        let (mut first, mut left) = (first, size - first % size);
        while !output.is_empty() {
            // What is left of the row.
            let (now, later) = output.split_at_mut(output.len().min(left));
            match (stride, &self.memory[self.index.bit(first as u64) as usize..]) {
                (0, memory) => now.fill(memory[0]),
                (1, memory) => now.copy_from_slice(&memory[..now.len()]),
                (_, memory) => {
                    for (to, from) in now.iter_mut().zip(memory.iter().step_by(stride as usize)) {
                        *to = *from;
                    }
                }
            }
            first += now.len();
            (output, left) = (later, size);
        }
    }
}

/// How many elements are gathered before they get their noise: few enough to stay in cache.
const CHUNK: usize = 4096;

/// As many chunks are worth a thread.
const CHUNKS: usize = 16;

/// Fills `count` elements. `fill` gets a part of them, and the number of its first element.
fn in_chunks<T: Element>(count: usize, fill: impl Fn(usize, &mut [T]) -> Result<()> + Sync) -> Result<Vec<T>> {
    let mut output = vec![T::default(); count];
    let chunks = output.par_chunks_mut(CHUNK).with_min_len(CHUNKS).enumerate();
    chunks.try_for_each(|(number, chunk)| fill(number * CHUNK, chunk))?;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use log::{LevelFilter, Log, Metadata, Record};
    use nn_dropout::{Mask, Probability};

    use super::*;

    static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Logger;

    impl Log for Logger {
        fn enabled(&self, _: &Metadata) -> bool {
            true
        }

        fn log(&self, record: &Record) {
            LOGGED.lock().unwrap().push(format!("{}: {}", record.level(), record.args()));
        }

        fn flush(&self) {}
    }

    fn values(storage: &CpuStorage) -> Vec<f32> {
        storage.as_slice::<f32>().unwrap().to_vec()
    }

    /// With the host itself as the device.
    #[test]
    fn a_device_without_a_kernel_gets_the_same_and_says_so_once() -> Result<()> {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(LevelFilter::Trace);
        let op = ApplyDraw(Draw::dropout(Mask::philox(42, 0, 0, Probability::new(0.3).unwrap())));
        let memory = CpuStorage::F32((0..90_u8).map(f32::from).collect());
        for layout in [Layout::contiguous((9, 10)), Layout::contiguous((9, 10)).transpose(0, 1)?.narrow(0, 2, 5)?] {
            let host = (&memory, &layout);
            for residual in [None, Some(host)] {
                let (output, shape) = op.through_host(host, residual)?;
                assert_eq!(values(&output), values(&op.on_host(host, residual)?));
                assert_eq!(&shape, layout.shape());
            }
        }
        let integers = CpuStorage::U8(vec![0; 90]);
        assert!(op.through_host((&integers, &Layout::contiguous(90)), None).is_err());
        #[cfg(not(feature = "cuda"))]
        assert!(op.through_host((&CudaStorage, &Layout::contiguous(90)), None).is_err());
        let text = "WARN: nn-dropout has no kernel for this device: each call copies its tensor to the host and back";
        assert_eq!(*LOGGED.lock().unwrap(), [text]);
        Ok(())
    }
}
