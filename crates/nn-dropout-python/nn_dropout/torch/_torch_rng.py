"""PyTorch's own masks, drawn by us from PyTorch's generator, which is left where PyTorch would leave it."""

from __future__ import annotations

import threading

import torch
import torch.nn.functional as F
from torch import Tensor

from . import _op

#: PyTorch's own functions, also while others stand in their places.
THEIRS = {
    "dropout": F.dropout,
    "dropout1d": F.dropout1d,
    "dropout2d": F.dropout2d,
    "dropout3d": F.dropout3d,
    "alpha-dropout": F.alpha_dropout,
    "feature-alpha-dropout": F.feature_alpha_dropout,
}

#: So few elements are drawn before the generator's state has been copied.
_FEW = 1024

_lock = threading.Lock()


def apply(input: Tensor, kind: str, p: float, inplace: bool) -> Tensor:
    """The noisy `input`, with the mask that PyTorch would draw now.

    Where the mask is not the CPU's, and where a transformation has to see what is drawn, PyTorch draws it itself.
    """
    is_plain = type(input) in _op.PLAIN and input.is_cpu and not torch.compiler.is_compiling() and not _op.is_watched()
    if not is_plain or not 0 < p < 1 or input.numel() <= _FEW or not input.is_floating_point():
        return THEIRS[kind](input, p, True, inplace)
    strides = input.stride()
    if not input.is_contiguous():
        strides = torch.empty_like(input, device="meta").stride()
    generator = torch.default_generator
    with _lock:
        state = generator.get_state()
        draw = _op.noise(_op.spec(kind)).torch_draw(state.data_ptr(), input.shape, strides, p)
        generator.set_state(state)
    return _op.run(input, draw, inplace)
