"""What holds for all calls: whether they sample for Monte Carlo dropout, and of which whole tensors are parts."""

from __future__ import annotations

from dataclasses import dataclass

#: Whether all samples of a batch share their noise.
monte_carlo: bool = False

#: Which part of a whole all tensors are.
part: Part | None = None


@dataclass(frozen=True)
class Part:
    """Part number `index` of `of` equal parts along axis `dim`."""

    dim: int
    index: int
    of: int

    def place(self, shape) -> tuple[list[int], list[int]]:
        """The shape of the whole, and where a tensor of this shape is in it."""
        whole, offset = list(shape), [0] * len(shape)
        if len(whole) > self.dim:
            offset[self.dim] = self.index * whole[self.dim]
            whole[self.dim] = self.of * whole[self.dim]
        return whole, offset


def of(shape) -> tuple[bool, list[int] | None, list[int] | None] | None:
    """Whether samples share noise, and for a part, the whole's shape and the offset in it. None if nothing is set."""
    if part is None:
        return (True, None, None) if monte_carlo else None
    return monte_carlo, *part.place(shape)
