"""A model's own dropout, replaced by this package's: modules for good, functions for as long as a context lasts."""

from __future__ import annotations

import contextlib
import functools
import traceback
import warnings
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from . import functional, modules

_OURS = {
    nn.Dropout: modules.Dropout,
    nn.Dropout1d: modules.Dropout1d,
    nn.Dropout2d: modules.Dropout2d,
    nn.Dropout3d: modules.Dropout3d,
    nn.AlphaDropout: modules.AlphaDropout,
    nn.FeatureAlphaDropout: modules.FeatureAlphaDropout,
}


def replace(model: nn.Module, *, rng: str | None = None) -> nn.Module:
    """Replace every dropout module of :mod:`torch.nn` in a model by this package's.

    The modules stay the same objects, with their hooks and settings, and become ours. A subclass of one of PyTorch's
    may do anything, so it stays as it is, with a warning. What modules call inside, such as attention's dropout, is
    left to `patch`.

    Parameters
    ----------
    model : torch.nn.Module
        The model, which is changed.
    rng : {None, "philox", "torch"}
        ``"torch"`` draws PyTorch's own masks, so that losses stay what they were, to the bit.

    Returns
    -------
    torch.nn.Module
        The model.

    Examples
    --------
    >>> import torch
    >>> import nn_dropout.torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.1))
    >>> model = nn_dropout.torch.replace(model)
    >>> type(model[1])
    <class 'nn_dropout.torch.modules.Dropout'>
    """
    rng = functional.checked_rng(rng)
    for name, module in modules.checked_module(model).named_modules():
        if type(module) in _OURS:
            module.__class__ = _OURS[type(module)]
        elif isinstance(module, tuple(_OURS)) and not isinstance(module, modules.Noisy):
            theirs = next(theirs for theirs in _OURS if isinstance(module, theirs))
            warnings.warn(
                f"{name or 'the model'} stays as it is: {type(module).__qualname__} is a subclass of "
                f"torch.nn.{theirs.__name__}",
                stacklevel=2,
            )
        if type(module) in _OURS.values() and module.rng != rng:
            module.rng = rng
    return model


@contextlib.contextmanager
def patch(*, rng: str | None = None) -> Iterator[None]:
    """Send calls of PyTorch's dropout functions to this package's, for as long as the context lasts.

    It reaches calls inside modules: ``torch.nn.functional.dropout`` and its siblings,
    ``scaled_dot_product_attention`` with dropout (and so ``nn.MultiheadAttention`` and ``nn.TransformerEncoderLayer``),
    ``torch.dropout``, and the dropout between the layers of ``nn.LSTM``, ``nn.GRU`` and ``nn.RNN``. Attention with
    dropout computes its weights step by step, and recurrent layers run one after the other, so fused kernels of GPUs
    are not used for these.

    It does not reach functions that were imported by name before (``from torch.nn.functional import dropout``), nor
    what compiled extensions do, such as the package flash-attn. `unreached` says what a model has of these.

    It holds for the whole process, all threads included.

    Parameters
    ----------
    rng : {None, "philox", "torch"}
        As for `replace`.

    Examples
    --------
    >>> import torch
    >>> import nn_dropout.torch
    >>> attention = torch.nn.MultiheadAttention(8, 2, dropout=0.1)
    >>> x = torch.randn(5, 1, 8)
    >>> with nn_dropout.torch.patch():
    ...     y, _ = attention(x, x, x)
    """
    own = [_places(functional.checked_rng(rng))]
    _patches.append(own)
    _set(own[0])
    try:
        yield
    finally:
        # Not by value: contexts of several threads may end in any order.
        _patches[:] = [other for other in _patches if other is not own]
        _set(_patches[-1][0] if _patches else _THEIRS)


#: The contexts that hold. The last one counts.
_patches: list[list] = []


def _set(places: list[tuple]) -> None:
    for place, name, function in places:
        if function is None:
            delattr(place, name)
        else:
            setattr(place, name, function)


@functools.cache
def _places(rng: str | None) -> list[tuple]:
    """What is patched: modules, names, and functions, always the same ones, so that compiled models stay compiled."""
    places = []

    def add(place, name, ours, *args, **kwargs):
        # A function, not a partial one: the compiler asks for names.
        @functools.wraps(getattr(place, name))
        def function(*own, **options):
            return ours(*args, *own, **options, **kwargs)

        places.append((place, name, function))

    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
        add(F, name, getattr(functional, name), rng=rng)
    add(F, "scaled_dot_product_attention", functional.scaled_dot_product_attention, rng=rng)
    for name in ("dropout", "alpha_dropout", "feature_alpha_dropout"):
        add(torch, name, _as_operator, getattr(functional, name), False, rng)
        add(torch, f"{name}_", _as_operator, getattr(functional, name), True, rng)
    for name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        add(torch._VF, name, _recurrent, getattr(torch._C._VariableFunctions, name), rng)
    return places


def _as_operator(ours, inplace, rng, input, p, train):
    return ours(input, p, train, inplace, rng=rng)


def _recurrent(theirs, rng, input, *args):
    """A recurrent network with dropout between its layers, one layer after the other.

    Its arguments are those of ``torch.lstm`` and the others: sizes of batches, if the sequences are packed, the state,
    the weights, whether there are biases, the number of layers, p, whether it is training, whether it goes in both
    directions, and whether the batch is the first axis, if they are not packed.
    """
    is_packed = not isinstance(args[2], bool)
    sizes, args = args[: int(is_packed)], args[int(is_packed) :]
    state, weights, biases, layers, p, training, both, *batch_first = args
    if not (training and p > 0 and layers > 1):
        return theirs(input, *sizes, *args)
    if batch_first == [True]:
        input = input.transpose(0, 1)
    states = state if isinstance(state, (tuple, list)) else (state,)
    a_layer = len(weights) // layers
    finals = []
    for layer in range(layers):
        if layer > 0:
            input = functional.dropout(input, p, rng=rng)
        first = [tensor.chunk(layers)[layer] for tensor in states]
        of_layer = weights[layer * a_layer : (layer + 1) * a_layer]
        first = first if isinstance(state, (tuple, list)) else first[0]
        unpacked = () if is_packed else (False,)
        input, *last = theirs(input, *sizes, first, of_layer, biases, 1, 0.0, training, both, *unpacked)
        finals.append(last)
    if batch_first == [True]:
        input = input.transpose(0, 1)
    return input, *(torch.cat(of_all) for of_all in zip(*finals))


#: What PyTorch has in these places; None where a module finds it elsewhere.
_THEIRS = [(place, name, place.__dict__.get(name)) for place, name, _ in _places(None)]


def unreached(model: nn.Module, *args, **kwargs) -> list[str]:
    """List the dropout in a model that is still PyTorch's own under `patch`.

    It calls the model once, in training mode and without gradients, with these arguments.

    Returns
    -------
    list of str
        A line for each place: the module, PyTorch's operator, and the line of code that called it.

    Examples
    --------
    >>> import torch
    >>> import nn_dropout.torch
    >>> model = nn_dropout.torch.replace(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.1)))
    >>> nn_dropout.torch.unreached(model, torch.randn(3, 2))
    []
    """
    running: list[tuple[str, nn.Module]] = []
    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda module, *_, name=name: running.append((name, module))))
        hooks.append(module.register_forward_hook(lambda *_: running.pop() and None, always_call=True))
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    found: list[str] = []
    try:
        with modules.kept_modes(model), torch.random.fork_rng(), torch.no_grad(), patch(), _Watch(running, found):
            model.train()
            model(*args, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
    return list(dict.fromkeys(found))


class _Watch(TorchDispatchMode):
    """Writes down the operators that drop out."""

    def __init__(self, running: list[tuple[str, nn.Module]], found: list[str]) -> None:
        super().__init__()
        self.running, self.found = running, found

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name, module = self.running[-1] if self.running else ("", None)
        if func.namespace != "nn_dropout" and not isinstance(module, modules.Noisy) and _drops_out(func, args, kwargs):
            frames = traceback.extract_stack()[:-1]
            of_user = [f for f in frames if "/torch/" not in f.filename.replace("\\", "/") and f.filename != __file__]
            at = of_user[-1] if of_user else frames[-1]
            self.found.append(f"{name or 'the model'}: {func} at {at.filename}:{at.lineno}")
        return func(*args, **kwargs)


def _drops_out(func, args, kwargs) -> bool:
    if func.overloadpacket in (torch.ops.aten.native_dropout, torch.ops.aten.bernoulli, torch.ops.aten.bernoulli_):
        return True
    names = [argument.name for argument in func._schema.arguments]
    values = {**dict(zip(names, args)), **kwargs}
    p = values.get("dropout_p", values.get("dropout", 0))
    return isinstance(p, float) and p > 0
