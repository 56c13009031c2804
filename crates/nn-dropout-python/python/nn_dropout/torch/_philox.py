"""The noise by PyTorch's own operations, on any device.

Words of 32 bits are held in int64, which all devices have; float64 is used for tensors of float64 only. What is
computed is written down in the library's page "The mask", and the values are those of its kernels, bit for bit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

from .. import _core

#: The number of elements that are drawn at once, so that the words take little memory.
_CHUNK = 1 << 22

_LOW = 0xFFFF_FFFF
_TIES = 1 << 61
_NUMBERS = 3 << 61


def execute(input: Tensor, output: Tensor, draw: _core.Draw) -> None:
    """Write the noisy `input` to `output`.

    Parameters
    ----------
    input, output : Tensor
        Of the draw's shape and one floating-point type, on one device, with any strides. They may be the same tensor.
    draw : Draw
        The noise.
    """
    if input.numel() == 0:
        return
    name, numbers = draw.affine(str(input.dtype).removeprefix("torch."))
    if name == "scale" and numbers[0] == numbers[1]:
        torch.mul(input, numbers[0], out=output)
        return
    source = _Source(draw, input.device)
    start, axes = draw.index()
    for x, y, first, strides in _pieces(input, output, start, strides_of(axes, input.shape)):
        # Elements that share a bit are one here, and PyTorch's operations broadcast it.
        sizes = [size if stride else 1 for size, stride in zip(x.shape, strides)]
        places = _places(first, sizes, strides, input.device)
        if name in ("scale", "scale_and_shift"):
            kept = source.kept(places).view(sizes)
            select = lambda of_kept, of_dropped: x.new_full(sizes, of_dropped).masked_fill_(kept, of_kept)
            if name == "scale":
                torch.mul(x, select(*numbers), out=y)
            else:
                torch.add(x * select(*numbers[:2]), select(*numbers[2:]), out=y)
            continue
        number = source.uniform(places) if name == "add_uniform" else source.normal(places)
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        product = number.view(sizes).to(wide) * numbers[0]
        if name == "multiply_by_normal":
            torch.mul(x, (1.0 + product).to(x.dtype), out=y)
        else:
            # The sum makes 0.0 of -0.0, as the library's does.
            torch.add(x, (0.0 + product).to(x.dtype), out=y)


def strides_of(axes: list[tuple[int, int]], shape: torch.Size) -> list[int]:
    """The index map's stride on each axis of a tensor, from its canonical axes: (size, stride) each."""
    axes, strides = list(axes), []
    left, stride = 1, 0
    for size in reversed(shape):
        if size == 1:
            strides.append(0)
            continue
        if left == 1:
            left, stride = axes.pop()
        strides.append(stride)
        left, stride = left // size, stride * size % 2**64
    return strides[::-1]


def merged(axes: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """The axes in canonical form: none of size 1, and those that continue each other as one."""
    canonical = []
    for size, stride in axes:
        if size == 1:
            continue
        if canonical and canonical[-1][1] == size * stride % 2**64:
            canonical[-1] = (canonical[-1][0] * size, stride)
        else:
            canonical.append((size, stride))
    return canonical


def _pieces(x: Tensor, y: Tensor, start: int, strides: list[int]) -> Iterator[tuple[Tensor, Tensor, int, list[int]]]:
    """Parts of the tensors that are small enough, the first bit of each, and its map's strides."""
    if x.numel() <= _CHUNK:
        yield x, y, start, strides
    elif len(x) == 1:
        yield from _pieces(x[0], y[0], start, strides[1:])
    else:
        half = len(x) // 2
        yield from _pieces(x[:half], y[:half], start, strides)
        yield from _pieces(x[half:], y[half:], start + half * strides[0], strides)


def _signed(number: int) -> int:
    """The number modulo 2^64 as int64 has it."""
    return (number + 2**63) % 2**64 - 2**63


def _places(start: int, sizes: list[int], strides: list[int], device: torch.device) -> range | Tensor:
    """The bit of each element, in row-major order. They are a range if each is the next one of the one before."""
    axes = merged(zip(sizes, strides)) or [(1, 1)]
    if len(axes) == 1 and axes[0][1] == 1:
        return range(start % 2**64, start % 2**64 + axes[0][0])
    places = torch.full((1,), _signed(start), dtype=torch.int64, device=device)
    for size, stride in axes:
        places = (places[:, None] + torch.arange(size, device=device) * _signed(stride)).flatten()
    return places


def threshold(draw: _core.Draw) -> tuple[int, int]:
    """What sixteen bits of a kept element are below, and on a tie its word of 32."""
    both = round((1.0 - draw.p) * 2.0**48)
    return both >> 32, both & _LOW


def held_bits(draw: _core.Draw, device: torch.device) -> Tensor | None:
    """The bits of a mask that holds them, eight to a byte."""
    bits = draw.bits()
    return None if bits is None else torch.frombuffer(bytearray(bits or b"\0"), dtype=torch.uint8).to(device)


class _Source:
    """Where bits and numbers come from."""

    def __init__(self, draw: _core.Draw, device: torch.device):
        self.device = device
        self.seed, self.layer, self.step = draw.seed_layer_step() or (0, 0, 0)
        self.high, self.low = threshold(draw)
        self.held = held_bits(draw, device)

    def kept(self, places: range | Tensor) -> Tensor:
        """Whether the element is kept, for each place."""
        if self.held is not None:
            places = self._tensor(places)
            return (self.held[places >> 3].long() >> (places & 7) & 1).bool()
        sixteen = self._random(places, 16)
        kept = sixteen < self.high
        if self.low > 0:
            ties = (sixteen == self.high).nonzero().flatten()
            if len(ties) > 0:
                at = ties + _signed(places.start) if isinstance(places, range) else places[ties]
                kept[ties] = self._random(at, 32, _TIES) < self.low
        return kept

    def uniform(self, places: range | Tensor) -> Tensor:
        """The uniform number of each place, in float32."""
        word = self._random(places, 32, _NUMBERS)
        signed = word - (word >> 31 << 32)
        return ((signed >> 8) * 2 + 1).float() * 2.0**-24

    def normal(self, places: range | Tensor) -> Tensor:
        """The normal number of each place, in float32."""
        word = self._random(places, 32, _NUMBERS)
        # Shifting the highest bit to its place counts the zeros before it.
        top, octave = word << 1 & _LOW | 1, 0
        for zeros in (16, 8, 4, 2, 1):
            shift = (top >> 32 - zeros == 0) * zeros
            top, octave = top << shift, octave + shift
        below = _LOW - top
        c0, c1, c2, c3 = table(self.device)[:, 8 * octave + (below >> 28)]
        place = below << 4 & _LOW
        times = lambda coefficient: coefficient * place >> 32 & _LOW
        size = c0 + times(c1 + times(c2 + times(c3)))
        magnitude = (size + 128 >> 8).float() * 2.0**-21
        return torch.where(word >> 31 == 1, -magnitude, magnitude)

    def _random(self, places: range | Tensor, bits: int, first: int = 0) -> Tensor:
        """A random integer of 16 or 32 bits for each place: that of the first one is in the block `first`."""
        lanes = 128 // bits
        shift = lanes.bit_length() - 1
        if isinstance(places, range):
            # Each block is drawn once.
            skip = places.start % lanes
            count = (skip + len(places) + lanes - 1) // lanes
            block = torch.arange(count, device=self.device) + (places.start >> shift)
        else:
            block = places >> shift
        # Places are without a sign, and wrap around.
        words = torch.stack(self._philox((block & 2 ** (64 - shift) - 1) + first), -1)
        if isinstance(places, range):
            if bits == 16:
                words = torch.stack([words & 0xFFFF, words >> 16], -1)
            return words.flatten()[skip : skip + len(places)]
        bit = places * bits & 127
        word = words.gather(-1, (bit >> 5)[:, None]).flatten()
        return word >> (bit & 31) & 2**bits - 1

    def _philox(self, block: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four words of each block: Philox4x32-10."""
        c0, c1, c2, c3 = block & _LOW, block >> 32 & _LOW, self.step, self.layer
        k0, k1 = self.seed & _LOW, self.seed >> 32
        for _ in range(10):
            product0, product1 = c0 * 0xD251_1F53, c2 * 0xCD9E_8D57
            c0, c2 = product1 >> 32 & _LOW ^ c1 ^ k0, product0 >> 32 & _LOW ^ c3 ^ k1
            c1, c3 = product1 & _LOW, product0 & _LOW
            k0, k1 = k0 + 0x9E37_79B9 & _LOW, k1 + 0xBB67_AE85 & _LOW
        return c0, c1, c2, c3

    def _tensor(self, places: range | Tensor) -> Tensor:
        if isinstance(places, range):
            return torch.arange(len(places), device=self.device) + _signed(places.start)
        return places


@functools.cache
def table(device: torch.device) -> Tensor:
    """The coefficients of the normal quantile: one row for each power."""
    return torch.tensor(_core.normal_table(), device=device).T.contiguous()
