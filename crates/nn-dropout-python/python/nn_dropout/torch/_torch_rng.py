"""PyTorch's own masks, drawn by us from PyTorch's generator, which is left where PyTorch would leave it."""

from __future__ import annotations

import threading

import torch
import torch.nn.functional as F
from torch import Tensor

from . import _op, _settings

#: PyTorch's own functions, also while others stand in their places.
THEIRS = {
    "dropout": F.dropout,
    "dropout1d": F.dropout1d,
    "dropout2d": F.dropout2d,
    "dropout3d": F.dropout3d,
    "alpha-dropout": F.alpha_dropout,
    "feature-alpha-dropout": F.feature_alpha_dropout,
}

#: The numbers of dimensions that PyTorch takes without a word.
DIMENSIONS = {"dropout1d": (2, 3), "dropout2d": (4,), "dropout3d": (4, 5)}

#: So few elements are drawn before the generator's state has been copied.
_FEW = 1024

_lock = threading.Lock()


def look(kind: str, input: Tensor) -> None:
    """PyTorch raises for some shapes, and warns of those that it may take otherwise one day. Let it say so itself."""
    dimensions = DIMENSIONS.get(kind)
    if dimensions is not None and input.dim() not in dimensions and not torch.compiler.is_compiling():
        THEIRS[kind](torch.empty((0,) * input.dim(), device="meta"), 0.0, False)


def apply(input: Tensor, kind: str, spec: str, p: float, inplace: bool) -> Tensor:
    """The noisy `input`, with the mask that PyTorch would draw now.

    Where the mask is not the CPU's, and where a transformation has to see what is drawn, PyTorch draws it itself.
    """
    if _settings.part is not None or _op.is_distributed(input):
        raise RuntimeError("PyTorch's masks are of whole tensors: rng='torch' draws for no part of one")
    is_plain = type(input) in _op.PLAIN and input.is_cpu and not torch.compiler.is_compiling() and not _op.is_watched()
    if not is_plain or not 0 < p < 1 or input.numel() <= _FEW or not input.is_floating_point():
        return THEIRS[kind](input, p, True, inplace)
    look(kind, input)
    strides = input.stride()
    if not input.is_contiguous():
        strides = torch.empty_like(input, device="meta").stride()
    generator = torch.default_generator
    with _lock:
        state = generator.get_state()
        draw = _op.noise(spec).torch_draw(state.data_ptr(), input.shape, strides, p)
        generator.set_state(state)
    return _op.run(input, draw, inplace)
