"""The one operation: noise on a tensor. Everything else in this package only says which noise.

A call draws a *key*, a seed of its own, from PyTorch's default generator on the CPU. So ``torch.manual_seed``,
``fork_rng``, checkpointing and saved states of the generator mean what they mean elsewhere. Key, noise and shape make a
draw; backward makes the same one again, and keeps nothing else.

Tensors that are only memory take the short way: one ``autograd.Function`` (`_Eager`). Under ``torch.compile``, ``vmap``
and other transformations they take the registered operator ``nn_dropout::noise``.
"""

from __future__ import annotations

import functools
import json
import sys
import threading

import torch
import torch._functorch.config
import torch.fx.traceback as fx_traceback
from torch import Tensor
from torch._higher_order_ops.effects import _register_effectful_op
from torch._library.effects import EffectType
from torch.autograd import forward_ad
from torch.utils.checkpoint import CheckpointPolicy

from .._core import Draw, Noise
from . import _settings

#: The forms of a noise: as it is, for the gradient, and what keeps what it drops.
FORMS = ("forward", "gradient", "complement")

DTYPES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}
_CPU = torch.device("cpu")
_KEYS = 2**63 - 1


def _constant(function):
    """What `torch.compiler.assume_constant_result` does, which imports the compiler, and that takes half a second."""
    function._dynamo_marked_constant = True
    return function


@_constant
def spec(kind: str, **options) -> str:
    """The specification of a layer, in JSON: its kind and its options. How much noise there is, is not part of it."""
    amount = {"gaussian-noise": "stddev", "neftune-noise": "alpha"}.get(kind, "p")
    return json.dumps({"kind": kind, amount: 0, **options})


@functools.cache
def noise(spec: str) -> Noise:
    """The noise with this specification, in JSON."""
    return Noise(spec)


@_constant
def check(spec: str, amount: float) -> bool:
    """Raises `ValueError` if there cannot be this much noise."""
    noise(spec).check(amount)
    return True


def next_key() -> Tensor:
    """The key of the next call: two words of PyTorch's default generator on the CPU."""
    if _is_transformed() and _has_samples():
        # PyTorch says for new tensors whether each sample has its own.
        return torch.randint(_KEYS, (), device=_CPU)
    # Not in place: checkpointing may keep what operators return, and compares it.
    return torch.ops.aten.random(torch.empty((), dtype=torch.int64, device=_CPU))


def _has_samples() -> bool:
    """Whether `vmap` is to draw for each sample alone, or not at all."""
    functorch = torch._C._functorch
    return any(
        interpreter.key() == functorch.TransformType.Vmap
        and functorch.CVmapInterpreterPtr(interpreter).randomness() != functorch.RandomnessType.Same
        for interpreter in functorch.get_interpreter_stack() or ()
    )


def draw_key() -> Tensor:
    """A key for more than one call."""
    return _traced_key() if torch.compiler.is_compiling() else next_key()


class _Seed(threading.local):
    """A tensor in each thread to draw keys into, which takes half the time of a new one."""

    def __init__(self):
        with torch.inference_mode(False):
            self.key = torch.empty((), dtype=torch.int64, device=_CPU)


_seed = _Seed()


def apply(
    input: Tensor,
    spec: str,
    amount: float,
    factor: Tensor | None = None,
    inplace: bool = False,
    *,
    key: Tensor | None = None,
    form: str = "forward",
    is_part: bool = True,
) -> Tensor:
    """The noisy `input`.

    Parameters
    ----------
    input : Tensor
        Of a floating-point type, on any device, of any shape that the layer takes.
    spec : str
        The layer and its options, in JSON.
    amount : float
        How much noise there is: p, the standard deviation or alpha.
    factor : Tensor, optional
        What the amount is multiplied by: one number of type float64 on the CPU.
    inplace : bool
        Whether `input` is overwritten.
    key : Tensor, optional
        The key of the draw. If it is not given, the next one is drawn.
    form : str
        One of `FORMS`.
    is_part : bool
        Whether `part` is about this tensor, and not a weight, which all ranks have.
    """
    place = None
    if is_part and (_settings.part is not None or _settings.monte_carlo):
        place = _settings.of(input.shape)
    if torch.compiler.is_compiling():
        meet_distributed()
        if forward_ad._current_level >= 0:
            return _product(input, spec, amount, factor, _traced_key() if key is None else key, form, place)
        return _registered(input, spec, amount, factor, inplace, _traced_key() if key is None else key, form, place)
    if type(input) not in PLAIN or is_watched():
        return _elsewhere(input, spec, amount, factor, inplace, next_key() if key is None else key, form, place)
    if key is None:
        key = _seed.key.random_().item()
    own = noise(spec)
    if place is None and factor is None and form == "forward" and input.numel() <= _SMALL and _has_gradient(input):
        # A product with what the elements are multiplied by, if that is all.
        dtype = DTYPES.get(input.dtype)
        if dtype is not None and input.is_cpu and input.is_contiguous():
            scales = torch.empty_like(input)
            if own.scales(key, input.shape, amount, dtype, scales.data_ptr()):
                return input.mul_(scales) if inplace else input * scales
    draw = draw_of(own, key, input.shape, amount, factor, form, place)
    return input if draw is None else run(input, draw, inplace)


#: So few numbers take less memory than a node of the graph, and PyTorch's product is faster than any node in Python.
_SMALL = 256


def _has_gradient(input: Tensor) -> bool:
    return input.requires_grad and torch.is_grad_enabled()


#: Whether a tensor is many gradients, as `torch.autograd.grad` makes them with `is_grads_batched`.
is_batch = torch._C._functorch.is_legacy_batchedtensor

#: Classes of tensors that are nothing but memory.
PLAIN = {Tensor, torch.nn.Parameter}


_modes = torch._C._len_torch_dispatch_stack
_is_transformed = torch._C._are_functorch_transforms_active
_trace = torch._C._get_tracing_state


def is_watched() -> bool:
    """Whether someone has to see the operator: a mode, a transformation, forward mode or a trace."""
    return _modes() > 0 or _is_transformed() or forward_ad._current_level >= 0 or _trace() is not None


def draw_of(
    noise: Noise,
    key: Tensor | int,
    shape: torch.Size,
    amount: float,
    factor: Tensor | None = None,
    form: str = "forward",
    place: tuple | None = None,
) -> Draw | None:
    """The draw with this key, or None where there is nothing to drop."""
    if factor is not None:
        amount = amount * factor.item()
    draw = noise.draw(key, shape, amount) if place is None else noise.draw(key, shape, amount, *place)
    if draw is None or form == "forward":
        return draw
    return draw.gradient() if form == "gradient" else draw.complement()


def run(input: Tensor, draw: Draw, inplace: bool = False) -> Tensor:
    """The noisy `input`, a plain tensor, with its gradient."""
    if inplace:
        _refuse_leaf(input)
    if not _has_gradient(input):
        output = execute(input, draw, inplace)
        if inplace:
            torch.autograd.graph.increment_version(input)
        return output
    return _eager_apply(input, draw, inplace)


def _refuse_leaf(input: Tensor) -> None:
    """PyTorch's exceptions, before anything is overwritten."""
    if input.is_inference() and not torch.is_inference_mode_enabled():
        raise RuntimeError("Inplace update to inference tensor outside InferenceMode is not allowed.")
    base = input._base if input._is_view() else input
    if base.is_leaf and base.requires_grad and torch.is_grad_enabled():
        view = "" if base is input else "a view of "
        raise RuntimeError(f"{view}a leaf Variable that requires grad is being used in an in-place operation.")


class _Eager(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, draw, inplace):
        ctx.draw = draw
        if inplace:
            ctx.mark_dirty(input)
        return execute(input, draw, inplace)

    @staticmethod
    def backward(ctx, grad):
        if type(grad) not in PLAIN or _is_transformed() or is_batch(grad):
            # Many gradients at once, or one of another class: these know products.
            scales = execute(torch.ones(ctx.draw.shape, dtype=grad.dtype, device=grad.device), ctx.draw, gradient=True)
            return grad * scales, None, None
        if grad.requires_grad and torch.is_grad_enabled():
            return _eager_apply(grad, ctx.draw.gradient(), False), None, None
        return execute(grad, ctx.draw, gradient=True), None, None


# `Function.apply` asks about transformations first, which `is_watched` has done.
_eager_apply = super(torch.autograd.Function, _Eager).apply


def execute(input: Tensor, draw: Draw, inplace: bool = False, gradient: bool = False) -> Tensor:
    """The noisy `input`, or with `gradient` that of the backward pass, without a gradient of its own."""
    dtype = DTYPES.get(input.dtype)
    if dtype is not None and input.is_cpu and input.is_contiguous() and not input.is_neg():
        address = input.data_ptr()
        # Nothing is there where PyTorch knows without memory that all elements are zero.
        if address != 0:
            output = input if inplace else torch.empty_like(input)
            draw.apply(dtype, address, output.data_ptr(), input.numel(), torch.get_num_threads(), gradient)
            return output
    return _execute_any(input, draw, inplace, gradient)


def _execute_any(input: Tensor, draw: Draw, inplace: bool, gradient: bool) -> Tensor:
    """The same for tensors that do not simply lie in memory."""
    if input.is_neg() or input.is_conj() or input._is_zerotensor():
        # What is in memory is not what they are.
        output = execute(input.clone().resolve_conj().resolve_neg(), draw, True, gradient)
        return input.copy_(output) if inplace else output
    if input.dtype.is_complex:
        output = execute(torch.view_as_real(input), draw.complex(), inplace, gradient)
        return input if inplace else torch.view_as_complex(output)
    dtype = _dtype(input)
    output = input if inplace else torch.empty_like(input)
    if input.is_cpu:
        if not inplace:
            output.copy_(input)
        elif torch._debug_has_internal_overlap(output) == 1:
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to a single memory "
                "location. Please clone() the tensor before performing the operation."
            )
        draw.apply(dtype, 0, output.data_ptr(), input.numel(), torch.get_num_threads(), gradient, output.stride())
        return output
    if input.is_meta:
        return output
    if input.is_cuda:
        from ._triton import execute as on_device
    else:
        from ._philox import execute as on_device
    on_device(input, output, draw.gradient() if gradient else draw)
    return output


def _dtype(input: Tensor) -> str:
    """The name of the type of the elements, or PyTorch's exception for one that cannot be dropped out."""
    try:
        return DTYPES[input.dtype]
    except KeyError:
        pass
    if input.dtype.is_floating_point:
        raise NotImplementedError(f'"dropout" not implemented for {input.dtype}')
    # PyTorch names its types as C++ does.
    names = {
        torch.uint8: "Byte",
        torch.int8: "Char",
        torch.int16: "Short",
        torch.int32: "Int",
        torch.int64: "Long",
        torch.bool: "Bool",
    }
    name = names.get(input.dtype, str(input.dtype))
    raise RuntimeError(f"result type Float can't be cast to the desired output type {name}")


def _elsewhere(input, spec, amount, factor, inplace, key, form, place):
    """The same for tensors of other classes, and where someone has to see the operator."""
    if not isinstance(input, Tensor):
        raise TypeError(f"dropout(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if is_distributed(input):
        from . import _distributed

        return _distributed.apply(input, spec, amount, factor, inplace, key, form, place)
    if _is_transformed() or forward_ad._current_level >= 0:
        output = _Transformed.apply(input, key, factor, spec, float(amount), form, place or _WHOLE)
        return input.copy_(output) if inplace else output
    return _registered(input, spec, amount, factor, inplace, key, form, place)


@_constant
def meet_distributed() -> bool:
    """Whether someone uses distributed tensors. `_distributed` answers for these from then on."""
    if "torch.distributed.tensor" not in sys.modules:
        return False
    from . import _distributed  # noqa: F401

    return True


def is_distributed(input) -> bool:
    """Whether it is a distributed tensor."""
    return meet_distributed() and isinstance(input, torch.distributed.tensor.DTensor)


class _Transformed(torch.autograd.Function):
    """The operation under `torch.func`'s transformations and in forward mode."""

    @staticmethod
    def forward(input, key, factor, spec, amount, form, place):
        return torch.ops.nn_dropout.noise(input, key, spec, amount, factor, form, *place)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, key, factor, *ctx.rest = inputs
        ctx.save_for_backward(key, factor)
        ctx.save_for_forward(key, factor)

    @staticmethod
    def backward(ctx, grad):
        return _Transformed._linear(ctx, grad), None, None, None, None, None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _Transformed._linear(ctx, tangent)

    @staticmethod
    def _linear(ctx, input):
        (key, factor), (spec, amount, form, place) = ctx.saved_tensors, ctx.rest
        return _Transformed.apply(input, key, factor, spec, amount, _LINEAR[form], place)

    @staticmethod
    def vmap(info, in_dims, input, key, factor, *rest):
        return _vmap(_Transformed.apply, info, in_dims, input, key, factor, *rest)


#: The form of a form's gradient.
_LINEAR = {"forward": "gradient", "gradient": "gradient", "complement": "complement"}


def _vmap(apply, info, in_dims, input, key, factor, *rest):
    """The noise of each sample alone: with its own key, or the one that all have."""
    of = lambda tensor, dim, i: tensor if dim is None else tensor.select(dim, i)
    samples = [apply(of(input, in_dims[0], i), of(key, in_dims[1], i), factor, *rest) for i in range(info.batch_size)]
    return torch.stack(samples), 0


# The registered operators.

_library = torch.library.Library("nn_dropout", "FRAGMENT")
_random = [torch.Tag.nondeterministic_seeded]
_library.define("key() -> Tensor", tags=_random)
_library.define("key_to_recompute() -> Tensor", tags=_random)
_library.define("key_again(Device device) -> Tensor", tags=_random)
_library.define(
    "noise(Tensor input, Tensor key, str spec, float amount, Tensor? factor, str form, bool monte_carlo, "
    "SymInt[]? whole, SymInt[]? offset) -> Tensor"
)


#: A tensor that is no part, and whose samples have noise of their own.
_WHOLE = (False, None, None)


def _registered(input, spec, amount, factor, inplace, key, form, place):
    output = torch.ops.nn_dropout.noise(input, key, spec, float(amount), factor, form, *(place or _WHOLE))
    return input.copy_(output) if inplace else output


def _product(input, spec, amount, factor, key, form, place):
    """The same as a product and a sum, which forward mode differentiates. It would take an operator for a constant."""
    noise = lambda tensor, form: _registered(tensor, spec, amount, factor, False, key, form, place)
    return input * noise(torch.ones_like(input), _LINEAR[form]) + noise(torch.zeros_like(input), form)


def _noise(input, key, spec, amount, factor, form, monte_carlo, whole, offset):
    draw = draw_of(noise(spec), key, input.shape, amount, factor, form, (monte_carlo, whole, offset))
    # An operator returns a tensor of its own.
    return input.clone() if draw is None else execute(input, draw)


def _noise_fake(input, key, spec, amount, factor, form, monte_carlo, whole, offset):
    if not input.is_complex():
        _dtype(input)
    return torch.empty_like(input)


def _setup_context(ctx, inputs, output):
    _, key, ctx.spec, ctx.amount, factor, ctx.form, *ctx.place = inputs
    ctx.save_for_backward(key, factor)


def _backward(ctx, grad):
    key, factor = ctx.saved_tensors
    grad = torch.ops.nn_dropout.noise(grad, key, ctx.spec, ctx.amount, factor, _LINEAR[ctx.form], *ctx.place)
    return grad, None, None, None, None, None, None, None, None


def _noise_vmap(info, in_dims, input, key, spec, amount, factor, *rest):
    apply = lambda input, key, factor, *rest: torch.ops.nn_dropout.noise(input, key, spec, amount, factor, *rest)
    return _vmap(apply, info, in_dims, input, key, factor, *rest)


_library.impl("noise", _noise, "CompositeExplicitAutograd")
torch.library.register_fake("nn_dropout::noise", _noise_fake, lib=_library)
torch.library.register_autograd("nn_dropout::noise", _backward, setup_context=_setup_context, lib=_library)
torch.library.register_vmap("nn_dropout::noise", _noise_vmap, lib=_library)

# Keys in compiled graphs. Calls of `key` have an order among each other, so that the compiler leaves them as they are,
# and are not recomputed in backward, for their tensors are saved.
_library.impl("key", next_key, "CompositeExplicitAutograd")
torch.library.register_fake("nn_dropout::key", lambda: torch.empty((), dtype=torch.int64), lib=_library)
_register_effectful_op(torch.ops.nn_dropout.key.default, EffectType.ORDERED)


# With an activation memory budget below 1 the partitioner recomputes whatever it likes, saved or not. What
# checkpointing marks, it recomputes with the state that the generator had.
def _key_to_recompute():
    meta = dict(fx_traceback.current_meta)
    fx_traceback.current_meta.update(recompute=CheckpointPolicy.MUST_RECOMPUTE)
    fx_traceback.current_meta.setdefault("ac_graph_id", 0)
    try:
        return torch.ops.nn_dropout.key_again(_CPU)
    finally:
        fx_traceback.current_meta.clear()
        fx_traceback.current_meta.update(meta)


_library.impl("key_to_recompute", _key_to_recompute, "CompositeImplicitAutograd")
_library.impl("key_again", lambda device: next_key(), "BackendSelect")
torch.library.register_fake("nn_dropout::key_again", lambda device: torch.empty((), dtype=torch.int64), lib=_library)


@_constant
def _is_budget_low() -> bool:
    return torch._functorch.config.activation_memory_budget < 1


def _traced_key() -> Tensor:
    if _is_transformed():
        return torch.randint(_KEYS, (), device=_CPU)
    # Without gradients nothing is recomputed.
    is_recomputed = _is_budget_low() and torch.is_grad_enabled()
    return torch.ops.nn_dropout.key_to_recompute() if is_recomputed else torch.ops.nn_dropout.key()
