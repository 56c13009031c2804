"""Noise that changes in the course of a training."""

import copy
import math

import nn_dropout.torch as ours
import pytest
import torch
from torch import nn

STEPS = [0, 1, 5, 9, 10, 11, 2**62]


@pytest.mark.parametrize(
    ("schedule", "options", "factors"),
    [
        ("constant", {}, [1.0] * 7),
        ("linear", {"steps": 10}, [0.0, 0.1, 0.5, 0.9, 1.0, 1.0, 1.0]),
        ("early", {"steps": 10}, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        ("early-linear", {"steps": 11}, [1.0, 0.9, 0.5, 1 - 0.9, 0.0, 0.0, 0.0]),
        ("late", {"steps": 10}, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        ("linear", {"steps": 0}, [1.0] * 7),
        ("curriculum", {"gamma": 0.1}, [1 - math.exp(-0.1 * step) for step in STEPS]),
        (lambda step: 1 / (1 + step), {}, [1 / (1 + step) for step in STEPS]),
    ],
)
def test_factors(schedule, options, factors):
    scheduler = ours.Scheduler(ours.Dropout(0.5), schedule, **options)
    found = []
    for step in STEPS:
        scheduler.load_state_dict({"last_step": step})
        found.append(scheduler.get_last_factor())
    assert found == pytest.approx(factors, abs=1e-9)
    if schedule != "curriculum":
        assert found == factors


def dropped(layer):
    return (layer(torch.ones(100_000)) == 0).float().mean().item()


@pytest.mark.parametrize("rng", [None, "torch"])
def test_the_noise_follows(rng):
    model = nn.Sequential(ours.Dropout(0.5, rng=rng), nn.Sequential(ours.Dropout(0.2, rng=rng)))
    scheduler = ours.Scheduler(model, "linear", steps=4)
    for step in range(6):
        share = min(step / 4, 1)
        assert scheduler.last_step == step
        assert dropped(model[0]) == pytest.approx(0.5 * share, abs=0.01)
        assert dropped(model[1]) == pytest.approx(0.2 * share, abs=0.01)
        # What is kept is scaled by the p of the step.
        assert model[0](torch.ones(9)).max().item() == pytest.approx(1 / (1 - 0.5 * share))
        scheduler.step()
    assert model[0].p == 0.5 and not model.state_dict()


def test_gradients_have_the_amount_of_their_step():
    layer = ours.Dropout(0.5)
    scheduler = ours.Scheduler(layer, "linear", steps=4)
    scheduler.step()
    x = torch.ones(1000, requires_grad=True)
    y = layer(x)
    scheduler.step()
    y.sum().backward()
    assert torch.equal(x.grad, y)


def test_other_layers_follow():
    x = torch.ones(8, 6, 9, 9)
    for layer, args in [
        (ours.DropPath(0.5), (x,)),
        (ours.DropBlock2d(0.5, 3), (x,)),
        (ours.GaussianDropout(0.5), (x,)),
        (ours.GaussianNoise(0.5), (x,)),
        (ours.NeftuneNoise(5.0), (x,)),
        (ours.EmbeddingDropout(nn.Embedding(30, 4), 0.5), (torch.arange(30),)),
        (ours.WeightDrop(nn.Linear(9, 9), 0.5, ["weight"]), (x,)),
        (ours.LabelDropout(-1.0, 0.9), (x,)),
    ]:
        scheduler = ours.Scheduler(layer, "late", steps=1)
        layer.eval()
        quiet = layer(*args)
        layer.train()
        assert torch.equal(layer(*args), quiet), layer
        scheduler.step()
        assert not torch.equal(layer(*args), quiet), layer
    new, previous = torch.ones(50), torch.zeros(50)
    zoneout = ours.Zoneout(0.5)
    scheduler = ours.Scheduler(zoneout, "late", steps=1)
    assert torch.equal(zoneout(new, previous), new)
    scheduler.step()
    assert not torch.equal(zoneout(new, previous), new)
    edges = torch.zeros(2, 50, dtype=torch.int64)
    for layer, args in [(ours.EdgeDropout(0.5), (edges,)), (ours.NodeDropout(0.5), (edges, 50))]:
        scheduler = ours.Scheduler(layer, "late", steps=1)
        assert layer(*args)[-1].all()
        scheduler.step()
        assert not layer(*args)[-1].all()
    layer_drop = ours.LayerDrop(nn.Identity(), 1.0)
    layer_drop.module.register_forward_hook(lambda *_: 1 / 0)
    scheduler = ours.Scheduler(layer_drop, "early", steps=0)
    with pytest.raises(ZeroDivisionError):
        layer_drop(new)


def test_saved_and_loaded():
    layer = ours.Dropout(0.5)
    scheduler = ours.Scheduler(layer, "linear", steps=10)
    for _ in range(3):
        scheduler.step()
    state = scheduler.state_dict()
    assert state == {"last_step": 3}
    other = ours.Dropout(0.5)
    resumed = ours.Scheduler(other, "linear", steps=10)
    resumed.load_state_dict(copy.deepcopy(state))
    assert resumed.last_step == 3 and resumed.get_last_factor() == 0.3
    x = torch.ones(1000)
    torch.manual_seed(0)
    expected = layer(x)
    torch.manual_seed(0)
    assert torch.equal(other(x), expected)


def test_monte_carlo_follows_too():
    layer = ours.Dropout(0.5)
    scheduler = ours.Scheduler(layer, "late", steps=1)
    x = torch.ones(3, 20)
    assert ours.monte_carlo(layer, x, 4).std.eq(0).all()
    scheduler.step()
    assert ours.monte_carlo(layer, x, 4).std.ne(0).any()


def test_compiled_models_are_compiled_once():
    torch._dynamo.reset()
    model = nn.Sequential(nn.Linear(8, 8), ours.Dropout(0.5), ours.GaussianNoise(0.5))
    scheduler = ours.Scheduler(model, "linear", steps=4)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    compiled(torch.randn(4, 8))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(6):
            scheduler.step()
            x = torch.randn(4, 8)
            torch.manual_seed(1)
            y = compiled(x)
            torch.manual_seed(1)
            torch.testing.assert_close(y, model(x))


def test_errors():
    layer = ours.Dropout(0.5)
    wrong = [("cosine", {}), ("linear", {}), ("linear", {"gamma": 1}), ("curriculum", {"gamma": -1.0})]
    for schedule, options in wrong:
        with pytest.raises(ValueError):
            ours.Scheduler(layer, schedule, **options)
    assert layer.factor is None
    for factor in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="^a schedule's factor has to be between 0 and 1, but got .* in step 0$"):
            ours.Scheduler(layer, lambda step: factor)
    scheduler = ours.Scheduler(layer, lambda step: 1 - step)
    scheduler.step()
    with pytest.raises(ValueError):
        scheduler.step()
    assert scheduler.last_step == 1 and scheduler.get_last_factor() == 0
