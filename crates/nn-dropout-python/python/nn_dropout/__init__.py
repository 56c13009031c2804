"""Fast, reproducible dropout. A mask is a value, not a tensor: a function of seed, layer, step and element.

Here are the masks, and dropout for NumPy arrays. `nn_dropout.torch` has the layers for PyTorch.
"""

from __future__ import annotations

import json
import os

import numpy as np

from ._core import Noise, __version__, kernel_name

__all__ = ["__version__", "dropout", "kernel_name", "mask"]

_NOISE = Noise(json.dumps({"kind": "dropout", "p": 0}))
_TYPES = ("float16", "float32", "float64", "bfloat16")


def mask(shape, p: float, *, seed: int, layer: int = 0, step: int = 0) -> np.ndarray:
    """Draw which elements of an array are kept.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of the array.
    p : float
        The probability that an element is dropped, from 0 to 1.
    seed : int
        The seed, from 0 to 2**64 - 1.
    layer, step : int
        The number of the layer, and of its call: from 0 to 2**32 - 1.

    Returns
    -------
    numpy.ndarray
        Of type bool, True where an element is kept.

    Raises
    ------
    ValueError
        If `p` is not between 0 and 1.
    OverflowError
        If `seed`, `layer` or `step` is out of range.

    Examples
    --------
    >>> import nn_dropout
    >>> nn_dropout.mask((2, 4), 0.5, seed=42)
    array([[False, False,  True,  True],
           [ True,  True, False,  True]])
    """
    kept = np.ones(shape, dtype=bool)
    draw = _NOISE.draw(seed, kept.shape, p, layer=layer, step=step)
    if draw is not None:
        draw.kept(kept.ctypes.data)
    return kept


def dropout(
    array: np.ndarray,
    p: float,
    *,
    seed: int,
    layer: int = 0,
    step: int = 0,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Zero elements with probability `p`, and multiply the others by ``1 / (1 - p)``.

    Parameters
    ----------
    array : numpy.ndarray
        Of any shape and strides, and of type float16, float32, float64, or bfloat16 of the package ``ml_dtypes``.
    p, seed, layer, step
        As in `mask`.
    out : numpy.ndarray, optional
        Where the result goes: an array of the same shape and type, or `array` itself.

    Returns
    -------
    numpy.ndarray
        `out`, or a new array like `array`.

    Raises
    ------
    TypeError
        If `array` is not of one of these types.
    ValueError
        If `p` is not between 0 and 1, or `out` has another shape or type.

    Examples
    --------
    >>> import numpy as np
    >>> import nn_dropout
    >>> nn_dropout.dropout(np.arange(1, 9, dtype=np.float32), 0.5, seed=42)
    array([ 0.,  0.,  6.,  8., 10., 12.,  0., 16.], dtype=float32)
    """
    array = np.asarray(array)
    if array.dtype.name not in _TYPES:
        raise TypeError(f"elements have to be one of {', '.join(_TYPES)}, but got {array.dtype}")
    if out is None:
        out = np.empty_like(array, dtype=array.dtype.newbyteorder("="), subok=False)
    elif not isinstance(out, np.ndarray):
        raise TypeError(f"out has to be an array, but got {type(out).__name__}")
    elif out.shape != array.shape or out.dtype != array.dtype:
        raise ValueError(
            f"out has to be of shape {array.shape} and type {array.dtype}, but got {out.shape} and {out.dtype}"
        )
    elif not out.flags.writeable or any(size > 1 and stride == 0 for size, stride in zip(out.shape, out.strides)):
        raise ValueError("out has to be writeable, each element in memory of its own")
    draw = _NOISE.draw(seed, array.shape, p, layer=layer, step=step)
    if draw is None:
        out[...] = array
        return out
    name, threads = array.dtype.name, _threads()
    if all(a.flags.c_contiguous and a.flags.aligned and a.dtype.isnative for a in (array, out)):
        if out is array or not np.may_share_memory(array, out):
            draw.apply(name, array.ctypes.data, out.ctypes.data, array.size, threads)
            return out
    # The rest by way of an array like `out`, in place: of any strides, but in whole elements, one after the other in
    # one direction.
    result = np.empty_like(array, dtype=array.dtype.newbyteorder("="), subok=False)
    result[...] = array
    strides = [stride // result.itemsize for stride in result.strides]
    draw.apply(name, 0, result.ctypes.data, result.size, threads, False, strides)
    out[...] = result
    return out


def _threads() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
