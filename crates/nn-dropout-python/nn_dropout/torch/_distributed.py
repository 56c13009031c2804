"""Noise on distributed tensors: each rank draws the bits of its own part of the one mask."""

from __future__ import annotations

import torch
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from . import _op, _settings


def apply(input: DTensor, spec, amount, factor, inplace, key, form) -> DTensor:
    """The noisy `input`, whose parts lie as they did. Sums that are still to be made are made first."""
    placements = [Replicate() if placement.is_partial() else placement for placement in input.placements]
    if inplace and tuple(placements) != tuple(input.placements):
        raise RuntimeError("a distributed tensor of partial sums cannot be overwritten with noise")
    input = input.redistribute(placements=placements)
    whole, offset = list(input.shape), compute_local_shape_and_global_offset(input.shape, input.device_mesh, placements)[1]
    monte_carlo, larger, shift = _settings.snapshot(whole)
    if larger is not None:
        whole, offset = larger, [a + b for a, b in zip(offset, shift)]
    shape = input.to_local().shape
    draw = _op.draw_of(_op.noise(spec), key, shape, amount, factor, form, (monte_carlo, whole, list(offset)))
    return input if draw is None else _OnParts.apply(input, draw, inplace)


class _OnParts(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, draw, inplace):
        ctx.draw, ctx.placements = draw, input.placements
        output = _op.execute(input._local_tensor, draw, inplace)
        if inplace:
            ctx.mark_dirty(input)
            return input
        return _like(input, output)

    @staticmethod
    def backward(ctx, grad):
        grad = grad.redistribute(placements=ctx.placements)
        return _OnParts.apply(grad, ctx.draw.gradient(), False), None, None


def _like(input: DTensor, local: torch.Tensor) -> DTensor:
    return DTensor.from_local(
        local, input.device_mesh, input.placements, run_check=False, shape=input.shape, stride=input.stride()
    )
