"""Noise as functions, like :mod:`torch.nn.functional`'s.

All take ``training``: without it they return their input. All take the same steps of PyTorch's generator, whatever the
size of the tensor: two words a call.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from . import _attention, _op, _settings, _torch_rng

__all__ = [
    "alpha_dropout",
    "drop_block2d",
    "drop_block3d",
    "drop_key",
    "drop_path",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "edge_dropout",
    "embedding_dropout",
    "feature_alpha_dropout",
    "gaussian_dropout",
    "gaussian_noise",
    "label_dropout",
    "locked_dropout",
    "neftune_noise",
    "node_dropout",
    "scaled_dot_product_attention",
    "token_dropout",
    "zoneout",
]


def checked(p: float) -> float:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    return p


_COMPLEX = {torch.complex32, torch.complex64, torch.complex128}


def as_in_torch(input, kind, spec, p, training, inplace, rng=None, factor=None):
    """One of the six that PyTorch has. What we do not take, PyTorch takes, or says what is wrong with it."""
    is_memory = type(input) in _op.PLAIN and input.layout is torch.strided and not input.is_nested
    if is_memory and training and 0 < p <= 1 and rng is None and input.dtype in _op.DTYPES:
        # What everyone does, before all else.
        if kind in _torch_rng.DIMENSIONS:
            _torch_rng.look(kind, input)
        return _op.apply(input, spec, p, factor, inplace)
    if not is_memory and has_torch_function_unary(input):
        return handle_torch_function(
            as_in_torch, (input,), input, kind, spec, p, training, inplace, rng=rng, factor=factor
        )
    if not training or p == 0:
        _torch_rng.look(kind, input)
        return input
    if not _takes(input, kind, p):
        return _torch_rng.THEIRS[kind](input, p, True, inplace)
    if rng == "torch" and not _settings.monte_carlo:
        return _torch_rng.apply(input, kind, spec, p if factor is None else p * factor.item(), inplace)
    _torch_rng.look(kind, input)
    return _op.apply(input, spec, p, factor, inplace)


def _takes(input, kind: str, p: float) -> bool:
    """Whether it is a tensor in memory, of numbers with a point, and there is such a probability."""
    return (
        isinstance(input, Tensor)
        and p <= 1
        and (input.dtype in _op.DTYPES or input.dtype in _COMPLEX and "alpha" not in kind)
        and input.layout is torch.strided
        and not input.is_nested
    )


_SPECS = {kind: _op.spec(kind) for kind in _torch_rng.THEIRS}


def _function(input, kind, p, training, inplace, rng):
    return as_in_torch(input, kind, _SPECS[kind], checked(p), training, inplace, rng and checked_rng(rng))


def checked_rng(rng: str | None) -> str | None:
    """`rng`, or None for this package's own masks."""
    if rng not in (None, "philox", "torch"):
        raise ValueError(f"rng has to be 'philox' or 'torch', but got {rng!r}")
    return None if rng == "philox" else rng


def _noise(input, kind, amount, training, inplace=False, **options):
    """Any of the others."""
    spec = _op.spec(kind, **options)
    if not training or amount == 0:
        _op.check(spec, amount)
        return input
    return _op.apply(input, spec, amount, inplace=inplace, is_part=kind not in OF_THE_MODEL)


#: What is not about a batch: `part` cuts none of these.
OF_THE_MODEL = {"drop-connect", "embedding-dropout", "layer-drop", "edge-dropout", "node-dropout"}


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, rng: str | None = None
) -> Tensor:
    """Zero elements with probability `p`, and multiply the others by ``1 / (1 - p)``.

    Parameters
    ----------
    input : Tensor
        Of any shape and any floating-point type.
    p : float
        The probability that an element is zeroed, from 0 to 1.
    training : bool
        Without it, `input` is returned.
    inplace : bool
        Whether `input` is overwritten.
    rng : {None, "torch"}
        ``"torch"`` draws the mask that PyTorch itself would draw on the CPU.

    Returns
    -------
    Tensor
        Of the shape and type of `input`.

    Raises
    ------
    ValueError
        If `p` is not between 0 and 1.
    RuntimeError
        If the elements are not floating-point numbers.

    Examples
    --------
    >>> import torch
    >>> from nn_dropout.torch import functional as F
    >>> _ = torch.manual_seed(42)
    >>> F.dropout(torch.ones(8), p=0.5)
    tensor([2., 2., 0., 0., 2., 0., 0., 0.])
    """
    return _function(input, "dropout", p, training, inplace, rng)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, rng: str | None = None
) -> Tensor:
    """Alpha dropout: see `AlphaDropout`."""
    return _function(input, "alpha-dropout", p, training, inplace, rng)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, rng: str | None = None
) -> Tensor:
    """Alpha dropout of channels: see `FeatureAlphaDropout`."""
    return _function(input, "feature-alpha-dropout", p, training, inplace, rng)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, rng: str | None = None
) -> Tensor:
    """Dropout of channels of signals: see `Dropout1d`."""
    return _function(input, "dropout1d", p, training, inplace, rng)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, rng: str | None = None
) -> Tensor:
    """Dropout of channels of images: see `Dropout2d`."""
    return _function(input, "dropout2d", p, training, inplace, rng)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, rng: str | None = None
) -> Tensor:
    """Dropout of channels of volumes: see `Dropout3d`."""
    return _function(input, "dropout3d", p, training, inplace, rng)


def drop_path(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    mode: str = "row",
    scale_by_keep: bool = True,
) -> Tensor:
    """Stochastic depth: see `DropPath`."""
    return _noise(input, "drop-path", p, training, inplace, mode=mode, scale_by_keep=scale_by_keep)


def drop_block2d(
    input: Tensor, p: float = 0.5, block_size: int = 7, training: bool = True, inplace: bool = False, **options
) -> Tensor:
    """Dropout of blocks of images: see `DropBlock2d`."""
    return _noise(input, "drop-block2d", p, training, inplace, block_size=block_size, **options)


def drop_block3d(
    input: Tensor, p: float = 0.5, block_size: int = 7, training: bool = True, inplace: bool = False, **options
) -> Tensor:
    """Dropout of blocks of volumes: see `DropBlock3d`."""
    return _noise(input, "drop-block3d", p, training, inplace, block_size=block_size, **options)


def locked_dropout(input: Tensor, p: float = 0.5, training: bool = True, *, axis: int | tuple[int, ...] = 1) -> Tensor:
    """Dropout with one mask for all coordinates along `axis`: see `LockedDropout`."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    return _noise(input, "dropout", p, training, shared_axes=axes)


def gaussian_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Multiplicative normal noise: see `GaussianDropout`."""
    return _noise(input, "gaussian-dropout", p, training, inplace)


def gaussian_noise(input: Tensor, stddev: float = 0.1, training: bool = True, inplace: bool = False) -> Tensor:
    """Additive normal noise: see `GaussianNoise`."""
    return _noise(input, "gaussian-noise", stddev, training, inplace)


def neftune_noise(input: Tensor, alpha: float = 5.0, training: bool = True, inplace: bool = False) -> Tensor:
    """Uniform noise on embeddings: see `NeftuneNoise`."""
    return _noise(input, "neftune-noise", alpha, training, inplace)


def token_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of tokens: see `TokenDropout`."""
    return _noise(input, "token-dropout", p, training, inplace)


def drop_key(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of keys before the softmax of attention: see `DropKey`."""
    return _noise(input, "drop-key", p, training, inplace)


def embedding_dropout(input: Tensor, weight: Tensor, p: float = 0.5, training: bool = True, **options) -> Tensor:
    """An embedding with dropped words: see `EmbeddingDropout`.

    `input` and `weight` are those of :func:`torch.nn.functional.embedding`, and so are further options.
    """
    embedded = torch.nn.functional.embedding(input, weight, **options)
    if not training or p == 0:
        return embedded
    return embedded * torch.nn.functional.embedding(input, scales_of_words(weight, p))


_WORDS, _STATES = _op.spec("embedding-dropout"), _op.spec("zoneout")


def scales_of_words(weight: Tensor, p: float, factor: Tensor | None = None) -> Tensor:
    """What each row of an embedding is multiplied by."""
    words = torch.ones((weight.shape[0], 1), dtype=weight.dtype, device=weight.device)
    return _op.apply(words, _WORDS, p, factor, is_part=False)


def zoneout(new: Tensor, previous: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Elements of the new state, or with probability `p` of the previous one: see `Zoneout`."""
    if checked(p) == 0:
        return new
    new, previous = torch.broadcast_tensors(new, previous)
    if not training:
        return (1 - p) * new + p * previous
    key = _op.draw_key()
    return _op.apply(new, _STATES, p, key=key) + _op.apply(previous, _STATES, p, key=key, form="complement")


def label_dropout(input: Tensor, null: Tensor | int, p: float = 0.1, training: bool = True) -> Tensor:
    """Labels, or embedded conditions, replaced by a null one with probability `p`: see `LabelDropout`."""
    if not training or p == 0:
        return input
    kept = _kept("label-dropout", input.shape[0], p, input.device)
    return torch.where(kept.view(-1, *[1] * (input.dim() - 1)), input, null)


def edge_dropout(edge_index: Tensor, p: float = 0.5, training: bool = True) -> tuple[Tensor, Tensor]:
    """The edges of a graph that are not dropped: see `EdgeDropout`.

    Returns
    -------
    edges : Tensor
        The kept edges, of shape (2, number of kept edges).
    kept : Tensor
        Which edges these are, of type bool.
    """
    count = edge_index.shape[1]
    if not training or p == 0:
        return edge_index, torch.ones(count, dtype=torch.bool, device=edge_index.device)
    kept = _kept("edge-dropout", count, p, edge_index.device)
    return edge_index[:, kept], kept


def node_dropout(
    edge_index: Tensor, num_nodes: int, p: float = 0.5, training: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """The edges of a graph both of whose nodes are not dropped: see `NodeDropout`.

    Returns
    -------
    edges : Tensor
        The kept edges, of shape (2, number of kept edges).
    kept_edges, kept_nodes : Tensor
        Which edges and nodes are kept, of type bool.
    """
    if not training or p == 0:
        kept_nodes = torch.ones(num_nodes, dtype=torch.bool, device=edge_index.device)
    else:
        kept_nodes = _kept("node-dropout", num_nodes, p, edge_index.device)
    kept = kept_nodes[edge_index].all(dim=0)
    return edge_index[:, kept], kept, kept_nodes


def _kept(kind: str, count: int, p: float, device: torch.device) -> Tensor:
    return _noise(torch.ones(count, device=device), kind, p, training=True) != 0


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    training: bool = True,
    rng: str | None = None,
) -> Tensor:
    """Attention whose weights are dropped out.

    Its arguments are those of :func:`torch.nn.functional.scaled_dot_product_attention`, and two more.
    PyTorch's function drops out whenever `dropout_p` is above 0. This one has `training`, so that a module passes
    ``training=self.training`` and is quiet in eval mode. Without dropout it is PyTorch's function; with it the weights
    are computed as they are defined, so they take memory.

    Examples
    --------
    >>> import torch
    >>> from nn_dropout.torch import functional as F
    >>> q = torch.randn(1, 2, 5, 8)
    >>> F.scaled_dot_product_attention(q, q, q, dropout_p=0.1, training=False).shape
    torch.Size([1, 2, 5, 8])
    """
    dropout_p, rng = checked(dropout_p), checked_rng(rng)
    if not training or dropout_p == 0:
        return _theirs(query, key, value, attn_mask, 0.0, is_causal, scale=scale, enable_gqa=enable_gqa)
    tensors = (query, key, value)
    is_gqa_wrong = enable_gqa and any(query.size(-3) % max(tensor.size(-3), 1) for tensor in (key, value))
    is_mask_wrong = attn_mask is not None and attn_mask.dtype not in (torch.bool, query.dtype)
    if is_gqa_wrong or is_mask_wrong or any(tensor.dtype != query.dtype or tensor.dim() < 2 for tensor in tensors):
        # PyTorch says what is wrong.
        return _theirs(query, key, value, attn_mask, 0.0, is_causal, scale=scale, enable_gqa=enable_gqa)
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    if is_causal:
        if attn_mask is not None:
            # PyTorch says that this cannot be.
            return _theirs(query, key, value, attn_mask, 0.0, is_causal, scale=scale)
        if _op.is_distributed(query):
            attn_mask = torch.full_like(query @ key.transpose(-2, -1), -math.inf).triu(1)
        else:
            attn_mask = query.new_full((query.size(-2), key.size(-2)), -math.inf).triu(1)
    elif attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill_(~attn_mask, -math.inf)
    dtype, device = query.dtype, query.device.type
    if dtype == torch.float32 and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    if query.dtype in (torch.float16, torch.bfloat16):
        query, key, value = query.float(), key.float(), value.float()
    scale = 1 / math.sqrt(max(query.size(-1), 1)) if scale is None else scale
    if rng != "torch":
        # In causal attention everything may attend to itself.
        is_safe = attn_mask is not None and not is_causal
        return _attention.attend(query, key, value, attn_mask, dropout_p, scale, is_safe).to(dtype)
    # Step by step as PyTorch computes it on the CPU, so that values are the same to the bit.
    root = math.sqrt(abs(scale))
    scores = (query * math.copysign(root, scale)) @ (key.transpose(-2, -1) * root)
    if attn_mask is None:
        weights = scores.softmax(-1)
    else:
        weights = torch._safe_softmax(scores + attn_mask, -1)
    return (dropout(weights, dropout_p, rng=rng) @ value).to(dtype)


_theirs = torch.nn.functional.scaled_dot_product_attention
