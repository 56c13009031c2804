"""Noise on distributed tensors: each rank draws the bits of its own part of the one mask.

PyTorch hands the registered operator over to `_on_parts` with distributed tensors, in eager mode, in backward and under
``torch.compile`` alike.
"""

from __future__ import annotations

import itertools

import torch
from torch.distributed.tensor import DTensor, Replicate

from . import _op


def apply(input: DTensor, spec, amount, factor, inplace, key, form, place) -> DTensor:
    """The noisy `input`, whose parts lie as they did. Sums that are still to be made are made first."""
    if inplace and any(placement.is_partial() for placement in input.placements):
        raise RuntimeError("a distributed tensor of partial sums cannot be overwritten with noise")
    return _op._registered(input, spec, amount, factor, inplace, key, form, place)


def _on_parts(op, args, kwargs) -> DTensor:
    input, key, spec, amount, factor, form, monte_carlo, larger, shift = args
    placements = [Replicate() if placement.is_partial() else placement for placement in input.placements]
    input = input.redistribute(placements=placements)
    shape, local = input.shape, input._local_tensor
    whole, shift = (list(shape), [0] * len(shape)) if larger is None else (larger, shift)
    draw = lambda part, offset: op(part, key, spec, amount, factor, form, monte_carlo, whole, offset)
    blocks = list(_blocks(shape, input.device_mesh, placements))
    if len(blocks) == 1:
        output = draw(local, [a + b for a, b in zip(shift, blocks[0][1])])
    else:
        output = torch.empty_like(local)
        for place, offset in blocks:
            output[place] = draw(local[place], [a + b for a, b in zip(shift, offset)])
    return DTensor.from_local(
        output, input.device_mesh, placements, run_check=False, shape=shape, stride=input.stride()
    )


DTensor._op_dispatcher._custom_op_handlers[torch.ops.nn_dropout.noise.default] = _on_parts


def _blocks(shape, mesh, placements):
    """The blocks of the whole that this rank has: where each is in the local tensor, and its offset in the whole.

    It is one block, unless axes that were cut have been flattened into one, or the rank is not of the mesh.
    """
    coordinate = mesh.get_coordinate()
    if coordinate is None:
        return
    axes = []
    for axis, size in enumerate(shape):
        runs = [(0, size)]
        for i, placement in enumerate(placements):
            if getattr(placement, "dim", None) == axis:
                # A strided one is cut into pieces first, and each of these into shards.
                count = getattr(placement, "split_factor", 1)
                pieces = [_chunk(runs, count, piece) for piece in range(count)]
                runs = [run for piece in pieces for run in _chunk(piece, mesh.size(i), coordinate[i])]
        axes.append(_places(runs))
    for block in itertools.product(*axes):
        yield tuple(place for place, _ in block), [offset for _, offset in block]


def _chunk(runs, count: int, index: int):
    """Chunk number `index` of `count`, as ``torch.chunk`` makes them, of runs: first coordinates and lengths."""
    total = sum(length for _, length in runs)
    step = (total + count - 1) // count
    begin, end = step * index, step * (index + 1)
    chunk = []
    for first, length in runs:
        # Sizes may be symbolic.
        a, b = torch.sym_min(torch.sym_max(begin, 0), length), torch.sym_min(torch.sym_max(end, 0), length)
        chunk.append((first + a, b - a))
        begin, end = begin - length, end - length
    return chunk if len(chunk) == 1 else [run for run in chunk if run[1] > 0]


def _places(runs):
    """Where runs of coordinates are in the local tensor, and where each starts in the whole."""
    if len(runs) == 1:
        return [(slice(None), runs[0][0])]
    ends = list(itertools.accumulate(length for _, length in runs))
    return [(slice(end - length, end), first) for end, (first, length) in zip(ends, runs)]
