"""Monte Carlo dropout."""

import nn_dropout.torch as ours
import pytest
import torch
from nn_dropout.torch import _settings
from torch import nn


class Model(nn.Module):
    """Layers of which samples share the noise, and batch normalization, which stays in eval mode."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            ours.Dropout(0.2), nn.Linear(6, 32), nn.BatchNorm1d(32), ours.AlphaDropout(0.2), ours.GaussianDropout(0.2),
            ours.GaussianNoise(0.1), nn.ReLU(), ours.DropPath(0.1), nn.Linear(32, 3),
        )  # fmt: skip

    def forward(self, x, scale=1.0):
        return self.layers(x) * scale


LAYERS = [
    (ours.Dropout(0.5), (6, 40)),
    (ours.Dropout1d(0.5), (6, 40, 3)),
    (ours.Dropout2d(0.5), (6, 40, 3, 3)),
    (ours.Dropout3d(0.5), (6, 40, 3, 3, 3)),
    (ours.AlphaDropout(0.5), (6, 40)),
    (ours.FeatureAlphaDropout(0.5), (6, 40, 3)),
    (ours.DropPath(0.5), (6, 40)),
    (ours.DropBlock2d(0.5, 3), (6, 2, 9, 9)),
    (ours.DropBlock3d(0.5, 3), (6, 2, 9, 9, 9)),
    (ours.LockedDropout(0.5), (6, 5, 40)),
    (ours.GaussianDropout(0.5), (6, 40)),
    (ours.GaussianNoise(0.5), (6, 40)),
    (ours.NeftuneNoise(5.0), (6, 5, 40)),
    (ours.TokenDropout(0.5), (6, 40, 4)),
    (ours.DropKey(0.5), (6, 2, 9, 9)),
    (ours.LabelDropout(-1.0, 0.5), (6, 40)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: type(value).__name__)
def test_a_sub_network_is_the_same_for_all_samples(layer, shape, monkeypatch):
    monkeypatch.setattr(_settings, "monte_carlo", True)
    # It is on in eval mode too.
    layer = layer.eval()
    x = torch.ones(shape)
    different = set()
    for seed in range(20):
        torch.manual_seed(seed)
        y = layer(x)
        torch.manual_seed(seed)
        one = layer(x[:1])
        assert torch.equal(y, one.expand(shape))
        different.add(tuple(one.flatten().tolist()))
    assert len(different) > 1


def test_zoneout_shares_its_mask(monkeypatch):
    monkeypatch.setattr(_settings, "monte_carlo", True)
    new, previous = torch.ones(6, 40), torch.zeros(6, 40)
    y = ours.Zoneout(0.5).eval()(new, previous)
    assert torch.equal(y, y[:1].expand(6, 40)) and len(y.unique()) == 2


def test_mean_and_deviation_are_those_of_the_samples():
    model, x = Model().train(), torch.randn(10, 6)
    samples = []
    handle = model.register_forward_hook(lambda module, args, output: samples.append(output.double()))
    prediction = ours.monte_carlo(model, x, 50, seed=3)
    handle.remove()
    stack = torch.stack(samples)
    torch.testing.assert_close(prediction.mean, stack.mean(0))
    torch.testing.assert_close(prediction.std, stack.std(0, correction=0))
    assert prediction.samples == 50 and prediction.mean.dtype == torch.float64
    assert (prediction.std > 0).all()


def test_entropies():
    model, x = Model(), torch.randn(10, 6)
    samples = []

    def transform(y):
        samples.append(y.softmax(-1).double())
        return samples[-1]

    prediction = ours.monte_carlo(model, x, 40, transform=transform)
    stack = torch.stack(samples)
    entropy = lambda p: -(p * p.log()).sum(-1)
    torch.testing.assert_close(prediction.entropy, entropy(stack.mean(0)))
    torch.testing.assert_close(prediction.expected_entropy, entropy(stack).mean(0))
    torch.testing.assert_close(prediction.mutual_information, prediction.entropy - prediction.expected_entropy)
    assert (prediction.mutual_information >= 0).all()
    certain = ours.monte_carlo(nn.Sequential(ours.Dropout(0.5), nn.Softmax(-1)), torch.zeros(2, 1), 4)
    assert certain.entropy.tolist() == certain.mutual_information.tolist() == [0, 0]


def test_neither_batch_nor_order_matters():
    model, x = Model(), torch.randn(12, 6)
    whole = ours.monte_carlo(model, x, 16, seed=1).mean
    for size in (1, 5):
        parts = torch.cat([ours.monte_carlo(model, part, 16, seed=1).mean for part in x.split(size)])
        torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-5)
    order = torch.randperm(12)
    torch.testing.assert_close(ours.monte_carlo(model, x[order], 16, seed=1).mean, whole[order], rtol=1e-5, atol=1e-5)


def test_seeds():
    model, x = Model(), torch.randn(5, 6)
    one = ours.monte_carlo(model, x, 8, seed=1)
    torch.rand(3)
    assert torch.equal(one.mean, ours.monte_carlo(model, x, 8, seed=1).mean)
    assert not torch.equal(one.mean, ours.monte_carlo(model, x, 8, seed=2).mean)
    # The first sub-networks are the same, however many there are.
    for half in (model, model.double()):
        x = x.to(half.layers[1].weight.dtype)
        assert ours.monte_carlo(half, x, 1, seed=1).std.eq(0).all()


def test_many_arguments():
    model, x = Model(), torch.randn(5, 6)
    torch.testing.assert_close(
        ours.monte_carlo(model, (x, 2.0), 8).mean, 2 * ours.monte_carlo(model, x, 8).mean, rtol=1e-6, atol=1e-6
    )


def test_everything_is_afterwards_as_before():
    model, x = Model().train(), torch.randn(5, 6)
    model.layers[4].eval()
    modes = [module.training for module in model.modules()]
    running = model.layers[2].running_mean.clone()
    state = torch.get_rng_state()
    prediction = ours.monte_carlo(model, x, 4)
    assert not prediction.mean.requires_grad

    def fail(y):
        raise KeyError

    with pytest.raises(KeyError):
        ours.monte_carlo(model, x, 4, transform=fail)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state) and not _settings.monte_carlo
    assert torch.equal(model.layers[2].running_mean, running)
    model.eval()
    assert torch.equal(model(x), model(x))


def test_replaced_models():
    model = ours.replace(nn.Sequential(nn.Linear(4, 50), nn.Dropout(0.5), nn.Linear(50, 2)), rng="torch")
    x = torch.ones(3, 4)
    prediction = ours.monte_carlo(model, x, 20)
    assert (prediction.std > 0).all()
    torch.testing.assert_close(prediction.mean, prediction.mean[:1].expand(3, 2))


def test_errors():
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="^the model has no dropout of this package with p > 0: call "):
        ours.monte_carlo(nn.Sequential(nn.Dropout(0.5), ours.Dropout(0)), x)
    with pytest.raises(ValueError, match="^samples has to be at least 1, but got 0$"):
        ours.monte_carlo(ours.Dropout(0.5), x, 0)
