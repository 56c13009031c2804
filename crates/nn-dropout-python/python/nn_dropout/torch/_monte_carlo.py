"""Monte Carlo dropout: predictions by many sub-networks, and how much these disagree."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import _settings
from .modules import Noisy, checked_module, kept_modes


@dataclass(frozen=True)
class Prediction:
    """A summary of the sub-networks' predictions. All tensors are of type float64.

    Attributes
    ----------
    mean, std : Tensor
        Mean and standard deviation of each output, of the shape of the output. The deviation is the root of the mean
        squared distance from the mean.
    expected_entropy : Tensor
        The mean of the samples' entropies, in nats, along the last axis of the output.
    samples : int
        The number of sub-networks.
    """

    mean: Tensor
    std: Tensor
    expected_entropy: Tensor
    samples: int

    @property
    def entropy(self) -> Tensor:
        """The entropy of the mean, in nats: all uncertainty about the class. Outputs have to be probabilities."""
        if (self.mean < 0).any():
            raise ValueError("entropy is of probabilities: make some with transform=torch.nn.Softmax(-1)")
        return _entropy(self.mean)

    @property
    def mutual_information(self) -> Tensor:
        """The mutual information of class and sub-network, in nats: the uncertainty that more data would remove."""
        return (self.entropy - self.expected_entropy).clamp(min=0)


def _entropy(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities).sum(-1)


@torch.no_grad()
def monte_carlo(
    model: nn.Module,
    x,
    samples: int = 32,
    seed: int = 0,
    *,
    transform: Callable[[Tensor], Tensor] | None = None,
) -> Prediction:
    """Predict with many sub-networks, drawn by dropout.

    Each sample keeps the same elements in all rows of a batch. So it is one sub-network, and what it says of a row
    depends neither on the size of the batch nor on the order of the rows. Everything else of the model is in eval mode.
    Modes and PyTorch's generators are afterwards what they were.

    While it runs, modules of this package make noise in all threads of the process.

    Parameters
    ----------
    model : torch.nn.Module
        A model with modules of this package: see `replace`.
    x : Tensor or tuple
        The model's input, or a tuple of its arguments.
    samples : int
        The number of sub-networks.
    seed : int
        The same seed draws the same sub-networks.
    transform : callable, optional
        Turns the model's output into a tensor, for example logits into probabilities: ``torch.nn.Softmax(-1)``.

    Returns
    -------
    Prediction
        Mean, standard deviation, entropy and mutual information.

    Raises
    ------
    ValueError
        If the model makes no noise, or there are no samples.

    Examples
    --------
    >>> import torch
    >>> import nn_dropout.torch
    >>> model = torch.nn.Sequential(nn_dropout.torch.Dropout(0.5), torch.nn.Linear(4, 3))
    >>> x = torch.randn(10, 4)
    >>> prediction = nn_dropout.torch.monte_carlo(model, x, samples=8, transform=torch.nn.Softmax(-1))
    >>> prediction.mean.shape, prediction.entropy.shape
    (torch.Size([10, 3]), torch.Size([10]))

    References
    ----------
    Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016.
    """
    if operator.index(samples) < 1:
        raise ValueError(f"samples has to be at least 1, but got {samples}")
    if not any(
        isinstance(module, Noisy) and getattr(module, module._amount) > 0 for module in checked_module(model).modules()
    ):
        raise ValueError(
            "the model has no dropout of this package with p > 0: call nn_dropout.torch.replace(model) first. "
            "Dropout that is called as a function is not sampled"
        )
    args = x if isinstance(x, tuple) else (x,)
    # A seed for each sample, so that every batch meets the same sub-networks.
    seeds = torch.randint(2**63 - 1, (samples,), generator=torch.Generator().manual_seed(seed), device="cpu").tolist()
    before, fused = _settings.monte_carlo, torch.backends.mha.get_fastpath_enabled()
    mean = squares = entropies = None
    try:
        _settings.monte_carlo = True
        # Transformers in eval mode would pass over their modules.
        torch.backends.mha.set_fastpath_enabled(False)
        with kept_modes(model), torch.random.fork_rng(devices=()):
            model.eval()
            for count, sample_seed in enumerate(seeds, 1):
                # Keys are drawn on the CPU, wherever the model is.
                torch.default_generator.manual_seed(sample_seed)
                output = model(*args)
                sample = output if transform is None else transform(output)
                if not isinstance(sample, Tensor):
                    raise TypeError(f"transform has to make a tensor of the output, a {type(output).__name__}")
                sample = sample.double()
                if mean is None:
                    mean, squares, entropies = torch.zeros_like(sample), torch.zeros_like(sample), 0
                # Welford's way: no difference of large sums.
                deviation = sample - mean
                mean += deviation / count
                squares += deviation * (sample - mean)
                entropies = entropies + _entropy(sample)
    finally:
        _settings.monte_carlo = before
        torch.backends.mha.set_fastpath_enabled(fused)
    return Prediction(mean, (squares / samples).sqrt(), entropies / samples, samples)
