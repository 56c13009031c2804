"""What several tests use."""

import warnings

import nn_dropout.torch as ours
import pytest
import torch

#: PyTorch's six, and their functions.
SIX = {
    "Dropout": "dropout",
    "Dropout1d": "dropout1d",
    "Dropout2d": "dropout2d",
    "Dropout3d": "dropout3d",
    "AlphaDropout": "alpha_dropout",
    "FeatureAlphaDropout": "feature_alpha_dropout",
}


@pytest.fixture(params=SIX)
def name(request):
    """The name of each of the six."""
    return request.param


@pytest.fixture
def theirs(name):
    """PyTorch's class with this name."""
    return getattr(torch.nn, name)


@pytest.fixture
def our(name):
    """Ours."""
    return getattr(ours, name)


@pytest.fixture
def functions(name):
    """PyTorch's function for the class, and ours."""
    return getattr(torch.nn.functional, SIX[name]), getattr(ours.functional, SIX[name])


@pytest.fixture
def shape(name):
    """A shape that the class takes, of more elements than are drawn one by one."""
    return {"Dropout1d": (8, 16, 12), "Dropout3d": (4, 6, 4, 3, 5)}.get(name, (4, 8, 9, 6))


@pytest.fixture
def outcome():
    """Calls a function: what it returns or raises, and what it warns of."""

    def outcome(function):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                y = function()
                result = (y.shape, y.dtype, y.stride(), y.requires_grad) if isinstance(y, torch.Tensor) else y
            except Exception as error:
                result = type(error), str(error)
        return result, [(warning.category, str(warning.message)) for warning in seen]

    return outcome


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
