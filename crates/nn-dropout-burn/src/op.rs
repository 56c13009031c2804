//! The one operation behind every layer, as an extension of Burn's backends.

use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::retro_forward::RetroForward;
use burn::backend::autodiff::checkpoint::state::BackwardStates;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Element as BurnElement, Shape, TensorData};
use nn_dropout::{Affine, Draw, Element, bf16, f16};

/// A Burn backend that can apply a [`Draw`] to a float tensor.
#[backend_extension(
    Autodiff,
    Flex,
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Fusion: cfg(feature = "cube")
)]
pub trait DropoutBackend: Backend {
    /// `input` with the noise of `draw`.
    ///
    /// Unless a backend does better, scales and shifts are made on the host and copied to the device, to be multiplied and
    /// added there.
    #[fusion(dtype = input, shape = input)]
    fn apply_draw(input: FloatTensor<Self>, draw: Draw) -> FloatTensor<Self> {
        let (shape, dtype, device) = (input.shape(), input.dtype(), input.device());
        // What the draw makes of ones are its scales, and of zeros its shifts.
        let scales = || noisy(&draw.gradient(), 1.0, shape.clone(), dtype);
        let shifts = || noisy(&draw, 0.0, shape.clone(), dtype);
        let on_device = |data| Self::float_from_data(data, &device);
        match draw.affine::<f64>() {
            Affine::Scale([1.0, 1.0]) => input,
            Affine::Scale(_) | Affine::MultiplyBy(..) => Self::float_mul(input, on_device(scales())),
            // A product with the gradient's scale of 0 would make infinite elements NaN.
            Affine::ScaleAndShift([1.0, 1.0], _) | Affine::Add(..) => Self::float_add(input, on_device(shifts())),
            Affine::ScaleAndShift(..) => {
                Self::float_add(Self::float_mul(input, on_device(scales())), on_device(shifts()))
            }
            Affine::Divide(divisor) => {
                let dropped: Vec<bool> = scales().iter::<f64>().map(|scale| scale == 0.0).collect();
                let dropped = Self::bool_from_data(TensorData::new(dropped, shape), &device);
                Self::float_mask_fill(Self::float_div_scalar(input, divisor.into()), dropped, 0.0.into())
            }
            other => panic!("this backend cannot apply {other:?}"),
        }
    }
}

/// The end of tensors that are not of floats.
#[track_caller]
pub fn refuse(dtype: DType) -> ! {
    panic!("dropout takes tensors of f64, f32, f16 or bf16, but got {dtype:?}")
}

/// What the draw makes of a tensor of one number.
fn noisy(draw: &Draw, number: f32, shape: Shape, dtype: DType) -> TensorData {
    fn data<T: Element + BurnElement>(draw: &Draw, number: f32, shape: Shape) -> TensorData {
        let mut elements = vec![T::from_elem(number); shape.num_elements()];
        draw.forward_inplace(&mut elements).unwrap_or_else(|error| panic!("{error}"));
        TensorData::new(elements, shape)
    }
    match dtype {
        DType::F64 => data::<f64>(draw, number, shape),
        DType::F32 => data::<f32>(draw, number, shape),
        DType::F16 => data::<f16>(draw, number, shape),
        DType::BF16 => data::<bf16>(draw, number, shape),
        other => refuse(other),
    }
}

#[cfg(feature = "ndarray")]
impl DropoutBackend for burn::backend::NdArray {}

#[cfg(feature = "tch")]
impl DropoutBackend for burn::backend::LibTorch {}

#[cfg(feature = "cube")]
impl DropoutBackend for burn_cubecl::CubeBackend {
    fn apply_draw(input: FloatTensor<Self>, draw: Draw) -> FloatTensor<Self> {
        crate::cube::apply_draw(input, &draw)
    }
}

impl DropoutBackend for Flex {
    fn apply_draw(input: FlexTensor, draw: Draw) -> FlexTensor {
        match input.dtype() {
            DType::F64 => apply_to_slice::<f64>(input, &draw),
            DType::F32 => apply_to_slice::<f32>(input, &draw),
            DType::F16 => apply_to_slice::<f16>(input, &draw),
            DType::BF16 => apply_to_slice::<bf16>(input, &draw),
            other => refuse(other),
        }
    }
}

/// Overwrites `input` where nobody else holds its memory, and makes a new tensor otherwise.
fn apply_to_slice<T: Element + BurnElement + bytemuck::Pod>(input: FlexTensor, draw: &Draw) -> FlexTensor {
    let mut input = if input.is_contiguous() { input } else { input.to_contiguous() };
    let (start, end) = input.layout().contiguous_offsets().expect("a contiguous tensor is one range of its memory");
    if let Some(storage) = input.try_storage_mut::<T>() {
        draw.forward_inplace(&mut storage[start..end]).unwrap_or_else(|error| panic!("{error}"));
        return input;
    }
    let output = draw.forward_to_vec(&input.storage::<T>()[start..end]).unwrap_or_else(|error| panic!("{error}"));
    FlexTensor::from_data(TensorData::new(output, input.shape()))
}

impl<B: DropoutBackend, C: CheckpointStrategy> DropoutBackend for Autodiff<B, C> {
    fn apply_draw(input: FloatTensor<Self>, draw: Draw) -> FloatTensor<Self> {
        let replay = Replay::<B> { input: input.id(), draw: draw.clone(), backend: PhantomData };
        let prep = ApplyDraw.prepare::<C>([input.node()]).memory_bound().retro_forward(replay).parents([&input]);
        let output = B::apply_draw(input.into_primitive(), draw.clone());
        match prep.stateful() {
            OpsKind::Tracked(prep) => prep.finish(draw, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

/// The backward pass: the draw is all it needs.
#[derive(Debug)]
struct ApplyDraw;

impl<B: DropoutBackend> Backward<B, 1> for ApplyDraw {
    type State = Draw;

    fn backward(self, ops: Ops<Draw, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [parent] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(parent) = parent {
            grads.register::<B>(parent.id, B::apply_draw(grad, ops.state.gradient()));
        }
    }
}

/// The forward pass again, for gradient checkpointing: the same draw, so the same output.
#[derive(Debug)]
struct Replay<B> {
    input: NodeId,
    draw: Draw,
    backend: PhantomData<B>,
}

impl<B: DropoutBackend> RetroForward for Replay<B> {
    fn forward(&self, states: &mut BackwardStates, output: NodeId) {
        let input = states.get_state::<FloatTensor<B>>(&self.input);
        states.save(output, B::apply_draw(input, self.draw.clone()));
    }
}
