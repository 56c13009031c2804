//! Operations for which Burn's Flex takes much longer than the arithmetic.
//!
//! Flex zeroes and copies the memory of each product before it is written, and lets the product transpose the weights in backward,
//! which takes longer than the product. It calls a library function for each element of GELU, and makes many passes over memory
//! for a layer norm or a softmax and their gradients. On other devices these are Burn's own operations.

mod backend;
mod exp;
mod gelu;
mod normalize;
mod product;
mod rows;
mod softmax;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::{self, softmax};
use burn::tensor::{Bool, Device, Tensor};

use backend::{Function, ModelBackend};

/// Whether these operations, and not Burn's, are for tensors on this device.
pub fn is_flex(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// What the layer makes of `[..., inputs]`: `[..., outputs]`.
pub fn linear<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    if !is_flex(&x.device()) {
        return layer.forward(x);
    }
    let weight = layer.weight.val();
    let Some(bias) = &layer.bias else { return matmul(x, weight) };
    on_rows(x, weight, |x, weight| {
        Dispatch::affine(x.into_dispatch(), weight.into_dispatch(), bias.val().into_dispatch())
    })
}

/// `[..., inputs]` times `[inputs, outputs]`.
pub fn matmul<const D: usize>(x: Tensor<D>, weight: Tensor<2>) -> Tensor<D> {
    if !is_flex(&x.device()) {
        return x.matmul(weight.unsqueeze());
    }
    on_rows(x, weight, |x, weight| Dispatch::matmul(x.into_dispatch(), weight.into_dispatch()))
}

/// An operation on rows and weights, of `[..., inputs]`.
fn on_rows<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    operation: impl FnOnce(Tensor<2>, Tensor<2>) -> FloatTensor<Dispatch>,
) -> Tensor<D> {
    let mut shape = x.shape();
    let [inputs, outputs] = weight.dims();
    shape[D - 1] = outputs;
    Tensor::<2>::from_dispatch(operation(x.reshape([-1, inputs as i64]), weight)).reshape(shape)
}

/// `x Φ(x)`, where Φ is the distribution function of the normal distribution.
///
/// Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if is_flex(&x.device()) { apply(Function::Gelu, x) } else { activation::gelu(x) }
}

/// What the layer makes of `[..., channels]`. It has the usual epsilon, 1e-5.
pub fn layer_norm<const D: usize>(layer: &LayerNorm, x: Tensor<D>) -> Tensor<D> {
    if !is_flex(&x.device()) {
        return layer.forward(x);
    }
    let normal = apply(Function::Normalize, x) * layer.gamma.val().unsqueeze();
    match &layer.beta {
        Some(beta) => normal + beta.val().unsqueeze(),
        None => normal,
    }
}

/// The weights of causal attention, from its scores `[batch, head, query, key]`: the softmax of `scale` times the scores of each
/// query and the keys up to it. Queries and keys are as many.
pub fn causal_softmax(scores: Tensor<4>, scale: f32) -> Tensor<4> {
    if is_flex(&scores.device()) {
        return apply(Function::CausalSoftmax { scale }, scores);
    }
    let [_, _, queries, keys] = scores.dims();
    let later = Tensor::<2, Bool>::tril_mask([queries, keys], 0, &scores.device());
    softmax((scores * scale).mask_fill(later.unsqueeze(), f32::NEG_INFINITY), 3)
}

fn apply<const D: usize>(function: Function, x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::apply(x.into_dispatch(), function))
}
