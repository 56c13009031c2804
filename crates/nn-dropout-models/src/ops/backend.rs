//! The operations as an extension of Burn's backends, and their gradients.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, TensorData};

use super::product::{Matrix, product};
use super::{gelu, normalize, softmax};

/// A function of a tensor that keeps its shape. All but GELU work on the rows of the last axis.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    Gelu,
    /// Rows with mean 0 and variance 1.
    Normalize,
    /// The weights of causal attention from its scores.
    CausalSoftmax {
        /// What the scores are multiplied by.
        scale: f32,
    },
}

/// A backend with these operations, and with what their gradients need.
#[backend_extension(Autodiff, Flex)]
pub trait ModelBackend: Backend {
    /// `x W`, of `[rows, inputs]` and `[inputs, outputs]`.
    fn matmul(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `x W` with a bias added to each row.
    fn affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `g Wᵀ`, of `[rows, outputs]` and `[inputs, outputs]`.
    fn matmul_inputs(grad: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `xᵀ g`, of `[rows, inputs]` and `[rows, outputs]`.
    fn matmul_weights(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;

    /// A function of `x`.
    fn apply(x: FloatTensor<Self>, function: Function) -> FloatTensor<Self>;

    /// The gradient of the input of a function from that of its output. `known` is the output of a softmax, and the input of the
    /// others.
    fn gradient(known: FloatTensor<Self>, grad: FloatTensor<Self>, function: Function) -> FloatTensor<Self>;
}

impl ModelBackend for Flex {
    fn matmul(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let [x, weight] = [x, weight].map(contiguous);
        tensor(product(matrix(&x), matrix(&weight), None), [rows(&x), columns(&weight)])
    }

    fn affine(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let [x, weight, bias] = [x, weight, bias].map(contiguous);
        tensor(product(matrix(&x), matrix(&weight), Some(numbers(&bias))), [rows(&x), columns(&weight)])
    }

    fn matmul_inputs(grad: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let [grad, weight] = [grad, weight].map(contiguous);
        let [count, inputs, outputs] = [rows(&grad), rows(&weight), columns(&weight)];
        let transpose = |matrix: FlexTensor| contiguous(matrix.transpose(0, 1));
        // What is smaller is transposed: the result, or the weights.
        if count < outputs {
            transpose(tensor(product(matrix(&weight), matrix(&grad).transpose(), None), [inputs, count]))
        } else {
            tensor(product(matrix(&grad), matrix(&transpose(weight)), None), [count, inputs])
        }
    }

    fn matmul_weights(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        let [x, grad] = [x, grad].map(contiguous);
        tensor(product(matrix(&x).transpose(), matrix(&grad), None), [columns(&x), columns(&grad)])
    }

    fn apply(x: FlexTensor, function: Function) -> FlexTensor {
        let x = contiguous(x);
        let numbers = numbers(&x);
        let y = match function {
            Function::Gelu => gelu::forward(numbers),
            Function::Normalize => normalize::forward(numbers, columns(&x)),
            Function::CausalSoftmax { scale } => softmax::forward(numbers, columns(&x), scale),
        };
        tensor(y, x.shape())
    }

    fn gradient(known: FlexTensor, grad: FlexTensor, function: Function) -> FlexTensor {
        let [known, grad] = [known, grad].map(contiguous);
        let (numbers, gradients) = (numbers(&known), numbers(&grad));
        let gradients = match function {
            Function::Gelu => gelu::gradient(numbers, gradients),
            Function::Normalize => normalize::gradient(numbers, gradients, columns(&known)),
            Function::CausalSoftmax { scale } => softmax::gradient(numbers, gradients, columns(&known), scale),
        };
        tensor(gradients, known.shape())
    }
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The elements of a contiguous tensor.
fn numbers(tensor: &FlexTensor) -> &[f32] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("it was made contiguous");
    &tensor.storage()[start..end]
}

fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(numbers, shape))
}

fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    Matrix::new(numbers(tensor), [rows(tensor), columns(tensor)])
}

/// The size of the first axis.
fn rows(tensor: &FlexTensor) -> usize {
    tensor.shape()[0]
}

/// The size of the last axis.
fn columns(tensor: &FlexTensor) -> usize {
    *tensor.shape().last().expect("a tensor has an axis")
}

impl<B: ModelBackend, C: CheckpointStrategy> ModelBackend for Autodiff<B, C> {
    fn matmul(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        match Matmul.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = [prep.checkpoint(&x), prep.checkpoint(&weight)];
                prep.finish(state, B::matmul(x.into_primitive(), weight.into_primitive()))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::matmul(x.into_primitive(), weight.into_primitive())),
        }
    }

    fn affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let apply = |[x, weight, bias]: [FloatTensor<Self>; 3]| {
            B::affine(x.into_primitive(), weight.into_primitive(), bias.into_primitive())
        };
        match Affine.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = [prep.checkpoint(&x), prep.checkpoint(&weight)];
                prep.finish(state, apply([x, weight, bias]))
            }
            OpsKind::UnTracked(prep) => prep.finish(apply([x, weight, bias])),
        }
    }

    fn matmul_inputs(_grad: FloatTensor<Self>, _weight: FloatTensor<Self>) -> FloatTensor<Self> {
        unreachable!("{ONCE}")
    }

    fn matmul_weights(_x: FloatTensor<Self>, _grad: FloatTensor<Self>) -> FloatTensor<Self> {
        unreachable!("{ONCE}")
    }

    fn apply(x: FloatTensor<Self>, function: Function) -> FloatTensor<Self> {
        let prep = Apply.prepare::<C>([x.node()]).compute_bound();
        let x = x.into_primitive();
        match prep.stateful() {
            OpsKind::Tracked(prep) => {
                let y = B::apply(x.clone(), function);
                let known = if let Function::CausalSoftmax { .. } = function { y.clone() } else { x };
                prep.finish((known, function), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::apply(x, function)),
        }
    }

    fn gradient(_known: FloatTensor<Self>, _grad: FloatTensor<Self>, _function: Function) -> FloatTensor<Self> {
        unreachable!("{ONCE}")
    }
}

const ONCE: &str = "gradients are computed on the backend below";

#[derive(Debug)]
struct Matmul;

impl<B: ModelBackend> Backward<B, 2> for Matmul {
    /// The factors.
    type State = [NodeId; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        factors::<B>(ops.parents.map(|node| Some(node?.id)), ops.state, grad, grads, checkpointer);
    }
}

#[derive(Debug)]
struct Affine;

impl<B: ModelBackend> Backward<B, 3> for Affine {
    /// The factors.
    type State = [NodeId; 2];

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::linear_bias_backward(grad.clone()));
        }
        factors::<B>([x, weight].map(|node| Some(node?.id)), ops.state, grad, grads, checkpointer);
    }
}

/// The gradients of the factors of a product.
fn factors<B: ModelBackend>(
    [x_node, weight_node]: [Option<NodeId>; 2],
    state: [NodeId; 2],
    grad: FloatTensor<B>,
    grads: &mut Gradients,
    checkpointer: &mut Checkpointer,
) {
    let [x, weight] = state.map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
    if let Some(node) = x_node {
        grads.register::<B>(node, B::matmul_inputs(grad.clone(), weight));
    }
    if let Some(node) = weight_node {
        grads.register::<B>(node, B::matmul_weights(x, grad));
    }
}

#[derive(Debug)]
struct Apply;

impl<B: ModelBackend> Backward<B, 1> for Apply {
    /// What is known of the function, and which it is.
    type State = (FloatTensor<B>, Function);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (known, function) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::gradient(known, grad, function));
        }
    }
}
