"""How the noise of a whole model changes during a training."""

from __future__ import annotations

import json
from collections.abc import Callable

import torch
from torch import nn

from .._core import schedule_factor
from .modules import Noisy, checked_module


class Scheduler:
    """Multiply the noise of all modules of a model by a factor that changes from step to step.

    It is used like :mod:`torch.optim.lr_scheduler`'s: call `step` after each step of the training, and save its
    `state_dict`. Compiled models are not compiled again.

    Parameters
    ----------
    model : torch.nn.Module
        A model with modules of this package: see `replace`. Copies of it that are made later keep the factor that they
        had.
    schedule : str or callable
        One of the names below, or a function from the number of the step, counted from 0, to a factor from 0 to 1.
    **options
        What the schedule takes:

        - ``"linear"`` (`steps`): from 0 to 1, in a line.
        - ``"curriculum"`` (`gamma`): ``1 - exp(-gamma * step)``.
        - ``"early"`` (`steps`): 1 for the first steps, then 0.
        - ``"early-linear"`` (`steps`): from 1 to 0, in a line, then 0.
        - ``"late"`` (`steps`): 0 for the first steps, then 1.

    Raises
    ------
    ValueError
        If there is no such schedule, or a function returns something that is not a factor.

    Examples
    --------
    >>> import torch
    >>> import nn_dropout.torch
    >>> model = torch.nn.Sequential(nn_dropout.torch.Dropout(0.5))
    >>> scheduler = nn_dropout.torch.Scheduler(model, "linear", steps=10)
    >>> for _ in range(4):
    ...     _ = model(torch.randn(3))
    ...     scheduler.step()
    >>> scheduler.get_last_factor()
    0.4

    References
    ----------
    Morerio and others, "Curriculum dropout", ICCV 2017. Liu and others, "Dropout reduces underfitting", ICML 2023.
    """

    def __init__(self, model: nn.Module, schedule: str | Callable[[int], float], **options) -> None:
        if callable(schedule):
            if options:
                raise TypeError(f"a function takes no options, but got {', '.join(options)}")
            self._name, self._schedule = "by a function", schedule
        else:
            spec = json.dumps({"kind": schedule, **options})
            self._name, self._schedule = repr(schedule), lambda step: schedule_factor(spec, step)
        self.last_step = 0
        self._factor = torch.tensor(self._factor_of(0), dtype=torch.float64, device="cpu")
        noisy = [module for module in checked_module(model).modules() if isinstance(module, Noisy)]
        if not noisy:
            raise ValueError("the model has no dropout of this package: call nn_dropout.torch.replace(model) first")
        for module in noisy:
            module.factor = self._factor

    def _factor_of(self, step: int) -> float:
        try:
            factor = self._schedule(step)
        except ValueError as error:
            raise ValueError(f"schedule {self._name}: {error}") from None
        if not 0 <= factor <= 1:
            raise ValueError(f"a schedule's factor has to be between 0 and 1, but got {factor} in step {step}")
        return float(factor)

    def step(self) -> None:
        """Go on to the next step of the training."""
        self._go_to(self.last_step + 1)

    def _go_to(self, step: int) -> None:
        factor = self._factor_of(step)
        self.last_step = step
        self._factor.fill_(factor)

    def get_last_factor(self) -> float:
        """What the noise is multiplied by in the current step."""
        return self._factor.item()

    def state_dict(self) -> dict[str, int]:
        """What there is to save."""
        return {"last_step": self.last_step}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on where a saved one was."""
        self._go_to(state_dict["last_step"])
