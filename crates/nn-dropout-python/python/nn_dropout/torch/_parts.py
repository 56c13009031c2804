"""Tensors that are parts of a whole: the noise of many processes is that of one."""

from __future__ import annotations

import operator

from . import _settings


class part:
    """Say that this process has part number `index` of `of` equal parts of every tensor, along axis `dim`.

    In plain data-parallel training each rank has some rows of the batch. Its noise then is that of these rows of the
    whole batch, and all ranks together draw what one process would draw for it. All ranks need the same state of
    PyTorch's generator on the CPU: call :func:`torch.manual_seed` with the same seed on each.

    It holds from the call on, in all threads, instead of what was said before. As a context manager it holds until the
    end of the context; a backward pass that computes checkpointed modules again has to lie in it. Tensors without the
    axis are wholes.

    Parameters
    ----------
    dim : int
        The axis that is cut, counted from 0.
    index : int
        The number of this process's part, counted from 0.
    of : int
        The number of parts.

    Raises
    ------
    ValueError
        If there is no such part.

    Examples
    --------
    >>> import torch
    >>> import nn_dropout.torch
    >>> drop = nn_dropout.torch.Dropout(0.5)
    >>> _ = torch.manual_seed(42)
    >>> whole = drop(torch.ones(4, 3))
    >>> _ = torch.manual_seed(42)
    >>> with nn_dropout.torch.part(dim=0, index=1, of=2):
    ...     half = drop(torch.ones(2, 3))
    >>> torch.equal(half, whole[2:])
    True
    """

    def __init__(self, *, dim: int = 0, index: int, of: int) -> None:
        dim, index, of = map(operator.index, (dim, index, of))
        if dim < 0 or not 0 <= index < of:
            raise ValueError(f"a part has dim >= 0 and 0 <= index < of, but got dim={dim}, index={index}, of={of}")
        self._part = _settings.Part(dim, index, of) if of > 1 else None
        self._before = [_settings.part]
        self._is_new = True
        _settings.part = self._part

    def __enter__(self) -> None:
        # The first context began with the call.
        if not self._is_new:
            self._before.append(_settings.part)
        self._is_new = False
        _settings.part = self._part

    def __exit__(self, *_) -> None:
        _settings.part = self._before.pop()
