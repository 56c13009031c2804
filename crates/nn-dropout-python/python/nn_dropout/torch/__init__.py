"""Dropout for PyTorch: faster, the same on any device and any number of ranks, and nothing kept for backward.

>>> import torch
>>> import nn_dropout.torch
>>> model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.1))
>>> model = nn_dropout.torch.replace(model)

`torch.manual_seed` makes it reproducible, and PyTorch's own saved state of its generator resumes it.
"""

import torch as _torch

if _torch.torch_version.TorchVersion(_torch.__version__) < "2.15.0a0":
    raise ImportError(f"nn_dropout.torch needs PyTorch 2.15 or newer, but got {_torch.__version__}")

from . import functional
from ._monte_carlo import Prediction, monte_carlo
from ._parts import part
from ._replace import patch, replace, unreached
from ._schedule import Scheduler
from .modules import *  # noqa: F403
from .modules import __all__ as _modules

__all__ = ["Prediction", "Scheduler", "functional", "monte_carlo", "part", "patch", "replace", "unreached", *_modules]
