"""Noise as modules: PyTorch's six, and what the projects around it call dropout.

In training mode every call draws new noise; in eval mode a module returns its input. None has parameters or buffers, so
state dicts are the same with PyTorch's modules and with these.
"""

from __future__ import annotations

import contextlib
import copy
import operator
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from . import _op, _settings
from . import functional as F

__all__ = [
    "AlphaDropout",
    "DropBlock2d",
    "DropBlock3d",
    "DropConnect",
    "DropKey",
    "DropPath",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "EdgeDropout",
    "EmbeddingDropout",
    "FeatureAlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "LabelDropout",
    "LayerDrop",
    "LockedDropout",
    "NeftuneNoise",
    "NodeDropout",
    "TokenDropout",
    "WeightDrop",
    "Zoneout",
]


def checked_module(module: nn.Module) -> nn.Module:
    """`module`, if it is one."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"a torch.nn.Module is needed, but got {type(module).__name__}")
    return module


@contextlib.contextmanager
def kept_modes(model: nn.Module) -> Iterator[None]:
    """A context after which all modules are in the mode that they were in."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class Noisy(nn.Module):
    """What all modules of this package are: they make noise in training mode, and for Monte Carlo dropout.

    `factor` is what a `Scheduler` multiplies the amount of noise by: one number in a tensor, or None.
    """

    factor: Tensor | None = None
    #: What the amount of noise is called.
    _amount = "p"

    def _is_on(self) -> bool:
        return (self.training or _settings.monte_carlo) and getattr(self, self._amount) != 0

    def _now(self) -> float:
        """The amount of noise in this step of the training."""
        amount = getattr(self, self._amount)
        return amount if self.factor is None else amount * self.factor.item()


class _AsInTorch(Noisy):
    """The base of PyTorch's six. Everything has a default in the class, so that `replace` need not make anything."""

    _kind: str
    _spec: str
    _overwrites = True
    rng: str | None = None

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rng: str | None = None) -> None:
        super().__init__(p, inplace)
        if rng is not None:
            self.rng = F.checked_rng(rng)

    def __init_subclass__(cls) -> None:
        if "_kind" in cls.__dict__:
            cls._spec = _op.spec(cls._kind)

    def forward(self, input: Tensor) -> Tensor:
        """Returns the noisy `input` in training mode, and `input` in eval mode."""
        training, inplace = self.training or _settings.monte_carlo, self.inplace and self._overwrites
        return F.as_in_torch(input, self._kind, self._spec, self.p, training, inplace, self.rng, self.factor)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.rng is None else f", rng={self.rng!r}")


class Dropout(_AsInTorch, nn.Dropout):
    """Zeroes elements with probability `p`, and multiplies the others by ``1 / (1 - p)``.

    It takes the place of :class:`torch.nn.Dropout`, and is one for ``isinstance``.

    Parameters
    ----------
    p : float
        The probability that an element is zeroed, from 0 to 1.
    inplace : bool
        Whether the input is overwritten.
    rng : {None, "philox", "torch"}
        ``"torch"`` draws PyTorch's own masks, those of the CPU, bit for bit. The default is this package's.

    Raises
    ------
    ValueError
        If `p` is not between 0 and 1.

    Examples
    --------
    >>> import torch
    >>> import nn_dropout.torch
    >>> _ = torch.manual_seed(42)
    >>> drop = nn_dropout.torch.Dropout(0.5)
    >>> drop
    Dropout(p=0.5, inplace=False)
    >>> drop(torch.ones(8))
    tensor([2., 2., 0., 0., 2., 0., 0., 0.])
    >>> drop.eval()(torch.ones(2))
    tensor([1., 1.])
    """

    _kind = "dropout"


class Dropout1d(_AsInTorch, nn.Dropout1d):
    """Zeroes channels of signals, of shape (N, C, L) or (C, L): see :class:`torch.nn.Dropout1d`."""

    _kind = "dropout1d"


class Dropout2d(_AsInTorch, nn.Dropout2d):
    """Zeroes channels of images, of shape (N, C, H, W): see :class:`torch.nn.Dropout2d`."""

    _kind = "dropout2d"


class Dropout3d(_AsInTorch, nn.Dropout3d):
    """Zeroes channels of volumes, of shape (N, C, D, H, W) or (C, D, H, W): see :class:`torch.nn.Dropout3d`."""

    _kind = "dropout3d"


class AlphaDropout(_AsInTorch, nn.AlphaDropout):
    """Dropout for self-normalising networks, which keeps mean and variance: see :class:`torch.nn.AlphaDropout`."""

    _kind = "alpha-dropout"
    # PyTorch's ignores `inplace` too.
    _overwrites = False


class FeatureAlphaDropout(_AsInTorch, nn.FeatureAlphaDropout):
    """Alpha dropout of whole channels: see :class:`torch.nn.FeatureAlphaDropout`."""

    _kind = "feature-alpha-dropout"
    # PyTorch's ignores `inplace` too.
    _overwrites = False


class _Layer(Noisy):
    """A layer that PyTorch does not have, with how much noise it makes, and its options."""

    _kind: str

    def __init__(self, amount: float, inplace: bool = False, **options) -> None:
        super().__init__()
        self.inplace = inplace
        self._options = options
        self._spec = _op.spec(self._kind, **options)
        _op.noise(self._spec).check(amount)
        setattr(self, self._amount, amount)

    def forward(self, input: Tensor) -> Tensor:
        """Returns the noisy `input` in training mode, and `input` in eval mode."""
        if not self._is_on():
            return input
        amount = getattr(self, self._amount)
        is_part = self._kind not in F.OF_THE_MODEL
        return _op.apply(input, self._spec, amount, factor=self.factor, inplace=self.inplace, is_part=is_part)

    def extra_repr(self) -> str:
        shown = {self._amount: getattr(self, self._amount), **self._options}
        if self.inplace:
            shown["inplace"] = True
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())


class DropPath(_Layer):
    """Stochastic depth: zeroes the paths of whole samples, the first axis, in a residual network.

    Parameters
    ----------
    p : float
        The probability that a sample is dropped, from 0 to 1.
    mode : {"row", "batch"}
        Whether each sample is dropped alone, or all of a batch together.
    scale_by_keep : bool
        Whether kept paths are multiplied by ``1 / (1 - p)``.

    Examples
    --------
    >>> import torch
    >>> from nn_dropout.torch import DropPath
    >>> _ = torch.manual_seed(1)
    >>> DropPath(0.5)(torch.ones(4, 2))
    tensor([[2., 2.],
            [2., 2.],
            [0., 0.],
            [2., 2.]])

    References
    ----------
    Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth", ECCV 2016.
    """

    _kind = "drop-path"

    def __init__(self, p: float = 0.5, mode: str = "row", *, scale_by_keep: bool = True, inplace: bool = False) -> None:
        super().__init__(p, inplace, mode=mode, scale_by_keep=scale_by_keep)


class _DropBlock(_Layer):
    def __init__(
        self,
        p: float = 0.5,
        block_size: int = 7,
        inplace: bool = False,
        *,
        clipping: bool = False,
        coupled_channels: bool = False,
        channels_last: bool = False,
    ) -> None:
        super().__init__(
            p,
            inplace,
            block_size=block_size,
            clipping=clipping,
            coupled_channels=coupled_channels,
            channels_last=channels_last,
        )


class DropBlock2d(_DropBlock):
    """Zeroes square blocks of images, of shape (N, C, H, W), as ``torchvision.ops.DropBlock2d`` does.

    Parameters
    ----------
    p : float
        The approximate share of elements that is dropped.
    block_size : int
        How many elements a block has along each axis.
    clipping : bool
        Whether blocks may lie anywhere, and are cut at the border, as in timm.
    coupled_channels : bool
        Whether all channels of a sample lose the same blocks, as in timm.
    channels_last : bool
        Whether the last axis of the shape is the channels: (N, H, W, C). It is not about the order in memory.

    References
    ----------
    Ghiasi, Lin and Le, "DropBlock: a regularization method for convolutional networks", NeurIPS 2018.
    """

    _kind = "drop-block2d"


class DropBlock3d(_DropBlock):
    """Zeroes cubic blocks of volumes, of shape (N, C, D, H, W): see `DropBlock2d`."""

    _kind = "drop-block3d"


class LockedDropout(_Layer):
    """Dropout with one mask for all coordinates along `axis`: variational dropout of recurrent networks.

    Parameters
    ----------
    p : float
        The probability that an element is zeroed, from 0 to 1.
    axis : int or tuple of int
        The axes that share the mask, counted from 0. The default is time in a tensor of (batch, time, feature).

    References
    ----------
    Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016.
    """

    _kind = "dropout"

    def __init__(self, p: float = 0.5, axis: int | tuple[int, ...] = 1, *, inplace: bool = False) -> None:
        axes = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = tuple(operator.index(axis) for axis in axes)
        if any(axis < 0 for axis in axes):
            raise ValueError(f"axis has to be 0 or more, but got {axis}")
        super().__init__(p, inplace, shared_axes=axes)


class GaussianDropout(_Layer):
    """Multiplies elements by ``1 + sqrt(p / (1 - p)) * n``, where n is a normal number.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 2014.
    """

    _kind = "gaussian-dropout"

    def __init__(self, p: float = 0.5, *, inplace: bool = False) -> None:
        super().__init__(p, inplace)


class GaussianNoise(_Layer):
    """Adds normal numbers with standard deviation `stddev`."""

    _kind = "gaussian-noise"
    _amount = "stddev"

    def __init__(self, stddev: float = 0.1, *, inplace: bool = False) -> None:
        super().__init__(stddev, inplace)


class NeftuneNoise(_Layer):
    """Adds uniform numbers between plus and minus ``alpha / sqrt(L * D)`` to embeddings, of shape (..., L, D).

    References
    ----------
    Jain and others, "NEFTune: noisy embeddings improve instruction finetuning", ICLR 2024.
    """

    _kind = "neftune-noise"
    _amount = "alpha"

    def __init__(self, alpha: float = 5.0, *, inplace: bool = False) -> None:
        super().__init__(alpha, inplace)


class DropConnect(_Layer):
    """Dropout of a weight tensor: see `WeightDrop` for the weights of a module.

    References
    ----------
    Wan, Zeiler, Zhang, LeCun and Fergus, "Regularization of neural networks using DropConnect", ICML 2013.
    """

    _kind = "drop-connect"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)


class TokenDropout(_Layer):
    """Zeroes whole tokens, the vectors along the last axis, in a tensor of (..., token, feature)."""

    _kind = "token-dropout"

    def __init__(self, p: float = 0.5, *, inplace: bool = False) -> None:
        super().__init__(p, inplace)


class DropKey(_Layer):
    """Drops keys before the softmax of attention: scores become negative infinity with probability `p`.

    References
    ----------
    Li, Hu, Fu, Zhou and Tao, "DropKey for vision transformer", CVPR 2023.
    """

    _kind = "drop-key"

    def __init__(self, p: float = 0.5, *, inplace: bool = False) -> None:
        super().__init__(p, inplace)


class _Wrapper(Noisy):
    """A module around another module, or over what is not one tensor."""

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p

    def extra_repr(self) -> str:
        return f"p={self.p}"


class EmbeddingDropout(_Wrapper):
    """An embedding that loses whole words of its vocabulary with probability `p`.

    A dropped word is zero wherever it occurs in the call; the others are multiplied by ``1 / (1 - p)``.

    Parameters
    ----------
    embedding : torch.nn.Embedding
        The embedding. It stays as it is, and is the attribute `embedding`.
    p : float
        The probability that a word is dropped.

    References
    ----------
    Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016.
    """

    def __init__(self, embedding: nn.Embedding, p: float = 0.5) -> None:
        super().__init__(p)
        if not isinstance(embedding, nn.Embedding):
            raise TypeError(f"embedding has to be a torch.nn.Embedding, but got {type(embedding).__name__}")
        self.embedding = embedding

    def forward(self, input: Tensor) -> Tensor:
        """Returns the embedded `input`, numbers of words."""
        embedded = self.embedding(input)
        if not self._is_on():
            return embedded
        scales = F.scales_of_words(self.embedding.weight, self.p, self.factor)
        return embedded * nn.functional.embedding(input, scales)


class WeightDrop(_Wrapper):
    """A module that computes with some of its weights dropped out: DropConnect, and AWD-LSTM's weight drop.

    Parameters
    ----------
    module : torch.nn.Module
        The module. It is the attribute `module`, with its parameters under their own names.
    p : float
        The probability that an element of a weight is zeroed.
    names : sequence of str
        The parameters that are dropped out. The default is that of a recurrent layer: from hidden state to hidden
        state.

    Examples
    --------
    >>> import torch
    >>> from nn_dropout.torch import WeightDrop
    >>> lstm = WeightDrop(torch.nn.LSTM(4, 8), 0.5)
    >>> lstm(torch.randn(3, 2, 4))[0].shape
    torch.Size([3, 2, 8])

    References
    ----------
    Merity, Keskar and Socher, "Regularizing and optimizing LSTM language models", ICLR 2018.
    """

    _spec = _op.spec("drop-connect")

    def __init__(self, module: nn.Module, p: float = 0.5, names: tuple[str, ...] = ("weight_hh_l0",)) -> None:
        super().__init__(p)
        names = (names,) if isinstance(names, str) else names
        parameters = dict(checked_module(module).named_parameters())
        for name in names:
            if name not in parameters:
                raise ValueError(f"names has to be among {sorted(parameters)}, but got {name!r}")
        self.module = module
        self.names = tuple(names)

    def forward(self, *args, **kwargs):
        """Calls the module with its arguments."""
        if not self._is_on():
            return self.module(*args, **kwargs)
        drop = lambda weight: _op.apply(weight, self._spec, self.p, self.factor, is_part=False)
        dropped = {name: drop(operator.attrgetter(name)(self.module)) for name in self.names}
        if not isinstance(self.module, nn.RNNBase):
            return torch.func.functional_call(self.module, dropped, args, kwargs)
        # Recurrent layers have their weights in a list of their own, which other threads may be using.
        module = copy.copy(self.module)
        names = module._flat_weights_names
        module._flat_weights = [dropped.get(name, weight) for name, weight in zip(names, module._flat_weights)]
        return module(*args, **kwargs)

    def extra_repr(self) -> str:
        return f"p={self.p}, names={self.names}"


class LayerDrop(_Wrapper):
    """Skips a whole module with probability `p`, and returns its first argument. Nothing is scaled.

    References
    ----------
    Fan, Grave and Joulin, "Reducing transformer depth on demand with structured dropout", ICLR 2020.
    """

    _spec = _op.spec("layer-drop")

    def __init__(self, module: nn.Module, p: float = 0.5) -> None:
        super().__init__(p)
        self.module = checked_module(module)

    def forward(self, input, *args, **kwargs):
        """Calls the module, or returns `input`."""
        if self._is_on():
            kept = _op.apply(torch.ones(1, device="cpu"), self._spec, self.p, self.factor, is_part=False)
            if kept.item() == 0:
                return input
        return self.module(input, *args, **kwargs)


class Zoneout(_Wrapper):
    """Keeps elements of the previous state of a recurrent network with probability `p`, in place of the new ones.

    References
    ----------
    Krueger and others, "Zoneout: regularizing RNNs by randomly preserving hidden activations", ICLR 2017.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def forward(self, new: Tensor, previous: Tensor) -> Tensor:
        """Returns the state: in eval mode the mean of what it is in training mode."""
        return F.zoneout(new, previous, self._now(), self.training or _settings.monte_carlo)


class LabelDropout(_Wrapper):
    """Replaces labels, or embedded conditions, by a null one with probability `p`, for classifier-free guidance.

    Parameters
    ----------
    null : int or Tensor
        The label that stands for none, or a row of the conditions, which may be a parameter.
    p : float
        The probability that a row is replaced.

    References
    ----------
    Ho and Salimans, "Classifier-free diffusion guidance", 2022.
    """

    def __init__(self, null: Tensor | int, p: float = 0.1) -> None:
        super().__init__(p)
        self.null = null

    def forward(self, input: Tensor) -> Tensor:
        """Returns the labels or conditions, of which some are null in training mode."""
        return F.label_dropout(input, self.null, self._now(), self._is_on())


class EdgeDropout(_Wrapper):
    """Drops edges of a graph, given as PyTorch Geometric's ``edge_index``, with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def forward(self, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the kept edges, and which these are."""
        return F.edge_dropout(edge_index, self._now(), self._is_on())


class NodeDropout(_Wrapper):
    """Drops nodes of a graph with probability `p`, and the edges that touch them."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def forward(self, edge_index: Tensor, num_nodes: int) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the kept edges, which these are, and which nodes are kept."""
        return F.node_dropout(edge_index, num_nodes, self._now(), self._is_on())
