"""The noise on GPUs: one Triton kernel, which draws the bits of eight elements at once and keeps them in registers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise RuntimeError(
        "Cannot find a working triton installation. Either the package is not installed or it is too old. "
        "More information on installing Triton can be found at: https://github.com/triton-lang/triton"
    ) from error

from .. import _core
from . import _philox

#: The threads of a program.
_THREADS = 128

#: So many elements at most go into one launch, so that 32 bits count them.
_PART = 1 << 30


def execute(input: Tensor, output: Tensor, draw: _core.Draw) -> None:
    """Write the noisy `input` to `output`.

    Parameters
    ----------
    input, output : Tensor
        Of the draw's shape and one floating-point type, on one GPU, with any strides. They may be the same tensor.
    draw : Draw
        The noise.
    """
    name, numbers = draw.affine(str(input.dtype).removeprefix("torch."))
    if input.numel() == 0:
        return
    start, axes = draw.index()
    if not (input.is_contiguous() and output.is_contiguous()):
        # The axes in the order of the output's memory, so that the kernel sees contiguous tensors.
        order = sorted(range(output.dim()), key=output.stride, reverse=True)
        x, y = input.permute(order), output.permute(order)
        if not y.is_contiguous():
            dense = torch.empty(output.shape, dtype=output.dtype, device=output.device)
            execute(input, dense, draw)
            output.copy_(dense)
            return
        strides = _philox.strides_of(axes, output.shape)
        axes = _philox.merged((output.shape[axis], strides[axis]) for axis in order)
        input, output = x if x.is_contiguous() else y.copy_(x), y
    seed, layer, step = draw.seed_layer_step() or (0, 0, 0)
    high, low = _philox.threshold(draw)
    held = _philox.held_bits(draw, input.device)
    held_bytes = 0 if held is None else len(held)
    # Scales and shifts, or the amount of a number.
    is_of_bits = name in ("scale", "scale_and_shift")
    numbers = numbers + [0.0] * (5 - len(numbers)) if is_of_bits else [0.0] * 4 + numbers
    table = _philox.table(input.device) if name.endswith("normal") else None
    with torch.cuda.device_of(input):
        for at, count, start, axes in _parts(0, input.numel(), start, axes):
            x, y = (input, output) if at == 0 else (input.view(-1)[at:], output.view(-1)[at:])
            units, place = _places(count, start, axes)
            noise[(triton.cdiv(units, _THREADS),)](
                x, y, count, *place, held, held_bytes, seed, layer, step, high, low, *numbers, table,
                NAME=name, TIES=low > 0, UNITS=_THREADS, num_warps=_THREADS // 32,
                # A product and a sum are rounded one after the other.
                enable_fp_fusion=False,
            )  # fmt: skip


def _parts(at: int, count: int, start: int, axes: list[tuple[int, int]]) -> Iterator[tuple[int, int, int, list]]:
    """What goes into one launch: the first element of each part, their count, and their index map."""
    if count <= _PART:
        yield at, count, start, axes
        return
    (size, stride), *inner = axes
    row = math.prod(size for size, _ in inner)
    rows = max(_PART // row, 1)
    for first in range(0, count // row, rows):
        now = min(rows, count // row - first)
        part = inner if now == 1 else [(now, stride), *inner]
        yield from _parts(at + first * row, now * row, start + first * stride, part)


def _places(count: int, start: int, axes: list[tuple[int, int]]) -> tuple[int, tuple]:
    """The number of units of eight elements, and the kernel's arguments that say where their bits are."""
    start %= 2**64
    *outer, (size, stride) = axes or [(1, 1)]
    skip, each, whole = 0, False, False
    if stride == 1 and not outer:
        # Units are blocks, wherever in the first one the first element lies.
        start, skip, whole = start // 8, start % 8, True
    elif stride == 1 and size % 8 == 0 and all(bit % 8 == 0 for bit in (start, *(stride for _, stride in outer))):
        start, whole = start // 8, True
        axes = [*((size, stride // 8) for size, stride in outer), (size // 8, 1)]
    elif stride == 0 and size % 8 == 0:
        axes = [*outer, (size // 8, 0)]
    else:
        each = True
    # The fastest axis first. The size of the slowest is not asked for.
    axes = (_philox.merged(axes) or [(1, 1)])[::-1]
    sizes, strides = tuple(size for size, _ in axes[:-1]), tuple(stride for _, stride in axes)
    return triton.cdiv(skip + count, 8), (skip, start, sizes, strides, each, whole)


# Elements are loaded sixteen bytes at a time only where `count` and `skip` are known to divide by 16.
@triton.jit(do_not_specialize=["start", "held_bytes", "seed", "layer", "step", "high", "low"])
def noise(
    x,
    y,
    count,
    skip,
    start: tl.uint64,
    sizes,
    strides,
    EACH: tl.constexpr,
    WHOLE: tl.constexpr,
    held,
    held_bytes: tl.uint64,
    seed: tl.uint64,
    layer: tl.uint32,
    step: tl.uint32,
    high: tl.uint32,
    low: tl.uint32,
    kept_scale: tl.float64,
    dropped_scale: tl.float64,
    kept_shift: tl.float64,
    dropped_shift: tl.float64,
    amount: tl.float64,
    table,
    NAME: tl.constexpr,
    TIES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """Write the noisy `x` to `y`.

    A unit has eight elements, of which the first unit skips some. The index map is that of elements if `EACH` has a
    place of its own, else that of units: of their blocks if each is a `WHOLE` block, else of the place that all eight
    share. Bits are drawn, or held in memory. `NAME` is that of the formula.
    """
    unit = tl.program_id(0) * UNITS + tl.arange(0, UNITS)[:, None]
    lane = tl.arange(0, 8)[None, :]
    element = unit * 8 + lane - skip
    inside = (element >= 0) & (element < count)
    value = tl.load(x + element, inside)

    rest = element if EACH else unit
    place = tl.zeros_like(rest).to(tl.uint64) + start
    for axis in tl.static_range(len(sizes)):
        place += (rest % sizes[axis]).to(tl.uint64) * strides[axis]
        rest = rest // sizes[axis]
    place += rest.to(tl.uint64) * strides[len(sizes)]

    # Products and sums of narrower types are computed in float32, then rounded.
    dtype: tl.constexpr = x.dtype.element_ty
    wide: tl.constexpr = tl.float64 if dtype == tl.float64 else tl.float32
    if NAME == "scale" or NAME == "scale_and_shift":
        block = place & 0x1FFFFFFFFFFFFFFF
        if not WHOLE:
            block = place >> 3
            lane = (place & 7).to(tl.int32)
        if held is None:
            eight = draw_eight(block, seed, layer, step, high, low, TIES)
        else:
            eight = tl.load(held + block, block < held_bytes, 0).to(tl.int32)
        kept = (eight >> lane & 1) != 0
        scale = tl.where(kept, tl.full([1, 1], kept_scale, wide), tl.full([1, 1], dropped_scale, wide))
        value = (value.to(wide) * scale).to(dtype)
        if NAME == "scale_and_shift":
            shift = tl.where(kept, tl.full([1, 1], kept_shift, wide), tl.full([1, 1], dropped_shift, wide))
            value = (value.to(wide) + shift).to(dtype)
    else:
        word = draw_word(place, lane, seed, layer, step, WHOLE)
        number = uniform(word) if NAME == "add_uniform" else normal(word, table)
        product = number.to(wide) * tl.full([1, 1], amount, wide)
        if NAME == "multiply_by_normal":
            value = (value.to(wide) * (product + 1.0).to(dtype).to(wide)).to(dtype)
        else:
            # The first sum makes 0.0 of -0.0, as the library's does.
            value = (value.to(wide) + (product + 0.0).to(dtype).to(wide)).to(dtype)
    tl.store(y + element, value, inside)


@triton.jit
def draw_eight(block, seed, layer, step, high, low, TIES: tl.constexpr):
    """The eight bits of a block, the first in the lowest place."""
    words = draw_words(block, seed, layer, step)
    eight = tl.zeros_like(block).to(tl.int32)
    equal = eight
    for j in tl.static_range(4):
        first, second = words[j] & 0xFFFF, words[j] >> 16
        eight |= (first < high).to(tl.int32) << 2 * j | (second < high).to(tl.int32) << 2 * j + 1
        equal |= (first == high).to(tl.int32) << 2 * j | (second == high).to(tl.int32) << 2 * j + 1
    if TIES:
        # One element in 65,536. All threads of a program take the same way.
        if tl.max(equal) > 0:
            ties = tl.zeros_like(eight)
            for half in tl.static_range(2):
                words = draw_words(block * 2 + (0x2000000000000000 + half), seed, layer, step)
                for j in tl.static_range(4):
                    ties |= (words[j] < low).to(tl.int32) << 4 * half + j
            eight |= equal & ties
    return eight


@triton.jit
def draw_word(place, lane, seed, layer, step, WHOLE: tl.constexpr):
    """The word that a number is made of: that of the place, or of the lane if the place is a `WHOLE` block of eight."""
    block = place * 2
    if not WHOLE:
        block = place >> 2
        lane = (place & 3).to(tl.int32)
    word = tl.zeros_like(lane).to(tl.uint32)
    for half in tl.static_range(2 if WHOLE else 1):
        words = draw_words(((block + half) & 0x3FFFFFFFFFFFFFFF) + 0x6000000000000000, seed, layer, step)
        for j in tl.static_range(4):
            word = tl.where(lane == 4 * half + j, words[j], word)
    return word


@triton.jit
def uniform(word):
    """The uniform number that a word becomes."""
    return ((word.to(tl.int32, bitcast=True) >> 8) * 2 + 1).to(tl.float32) * 5.9604644775390625e-08


@triton.jit
def normal(word, table):
    """The normal number that a word becomes."""
    # Shifting the highest bit to its place counts the zeros before it.
    top = word << 1 | 1
    octave = tl.zeros_like(word)
    for bit in tl.static_range(5):
        zeros = 16 >> bit
        shift = tl.where(top >> (32 - zeros) == 0, zeros, 0).to(tl.uint32)
        top = top << shift
        octave += shift
    below = top ^ 0xFFFFFFFF
    piece = table + (octave * 8 + (below >> 28)).to(tl.int32)
    place = below << 4
    size = tl.umulhi(tl.load(piece + 3 * 256).to(tl.uint32), place)
    size = tl.umulhi(tl.load(piece + 2 * 256).to(tl.uint32) + size, place)
    size = tl.umulhi(tl.load(piece + 256).to(tl.uint32) + size, place)
    size = tl.load(piece).to(tl.uint32) + size
    magnitude = (size + 128 >> 8).to(tl.float32) * 4.76837158203125e-07
    return tl.where(word >> 31 == 0, magnitude, -magnitude)


@triton.jit
def draw_words(block, seed, layer, step):
    """The four words of a block."""
    # The interpreter does not look at annotations.
    low, high = block.to(tl.uint32), (block >> 32).to(tl.uint32)
    return tl.philox(seed.to(tl.uint64), low, high, step.to(tl.uint32), layer.to(tl.uint32))
