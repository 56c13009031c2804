"""Attention whose weights are dropped out.

As a product, a softmax, dropout and a product it would keep the weights twice for backward, before and after dropout.
Here they are kept once, and backward draws again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import _op, _settings

_SPEC = _op.spec("dropout")


def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, p: float, scale: float, is_safe: bool
) -> Tensor:
    """``dropout(softmax(query @ key.T * scale + bias)) @ value``.

    Parameters
    ----------
    query, key, value : Tensor
        Of shape (..., L, E), (..., S, E) and (..., S, F).
    bias : Tensor, optional
        What is added to the scores, of a shape that broadcasts to (..., L, S).
    p : float
        The probability that a weight is dropped.
    scale : float
        What the scores are multiplied by.
    is_safe : bool
        Whether a row of scores that are all negative infinity gives weights of 0.
    """
    tensors = (query, key, value) if bias is None else (query, key, value, bias)
    batch = query.shape[:-2]
    is_simple = (
        not torch.compiler.is_compiling()
        and not _op.is_watched()
        and all(type(tensor) in _op.PLAIN for tensor in tensors)
        and query.dtype in (torch.float32, torch.float64)
        and all(tensor.dtype == query.dtype for tensor in tensors)
        and key.shape[:-2] == value.shape[:-2] == batch
        and not (bias is not None and bias.requires_grad)
        and not torch.is_autocast_enabled(query.device.type)
        and all(tensor.numel() > 0 for tensor in tensors)
    )
    if not is_simple:
        scores = (query * scale) @ key.transpose(-2, -1)
        return _op.apply(_weights(scores, bias, is_safe), _SPEC, p) @ value
    shape = torch.Size((*batch, query.shape[-2], key.shape[-2]))
    place = _settings.of(shape)
    draw = _op.draw_of(_op.noise(_SPEC), _op.draw_key(), shape, p, place=place)
    flat = (tensor.reshape(-1, *tensor.shape[-2:]) for tensor in (query, key, value))
    if bias is not None:
        bias = bias.expand(shape).reshape(-1, *shape[-2:]) if bias.dim() > 2 else bias
    return _Attention.apply(*flat, bias, draw, scale, is_safe).view(*query.shape[:-1], value.shape[-1])


def _weights(scores: Tensor, bias: Tensor | None, is_safe: bool) -> Tensor:
    scores = scores if bias is None else scores + bias
    return torch._safe_softmax(scores, -1) if is_safe else scores.softmax(-1)


def _scores(query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    if bias is None:
        return torch.bmm(query * scale, key.transpose(1, 2))
    return torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scale)


class _Attention(torch.autograd.Function):
    """The same for batches in one axis."""

    @staticmethod
    def forward(ctx, query, key, value, bias, draw, scale, is_safe):
        weights = _weights(_scores(query, key, bias, scale), None, is_safe)
        ctx.save_for_backward(query, key, value, weights, bias)
        ctx.rest = draw, scale, is_safe
        return torch.bmm(_op.execute(weights, draw), value)

    @staticmethod
    def backward(ctx, grad):
        query, key, value, weights, bias = ctx.saved_tensors
        draw, scale, is_safe = ctx.rest
        if torch.is_grad_enabled() or type(grad) not in _op.PLAIN or _op.is_batch(grad) or _op.is_watched():
            # As it is defined, for who differentiates it again, or has many gradients.
            if torch.is_grad_enabled():
                weights = _weights(_scores(query, key, bias, scale), None, is_safe)
            scales = _op.execute(torch.ones_like(weights, requires_grad=False), draw, gradient=True)
            to_value = (weights * scales).transpose(-2, -1) @ grad
            to_weights = grad @ value.transpose(-2, -1) * scales
            to_scores = weights * (to_weights - (to_weights * weights).sum(-1, keepdim=True)) * scale
        else:
            dropped = _op.execute(weights, draw)
            to_value = torch.bmm(dropped.transpose(1, 2), grad)
            # The dropped weights have been used: their memory is free for the gradient.
            to_weights = _op.execute(
                torch.bmm(grad, value.transpose(1, 2), out=dropped), draw, inplace=True, gradient=True
            )
            to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype).mul_(scale)
        return to_scores @ key, to_scores.transpose(-2, -1) @ query, to_value, None, None, None, None
