"""The operator under torch.compile: the masks, gradients and steps of the generator are those of eager mode."""

import subprocess
import sys

import nn_dropout.torch as nd
import pytest
import torch
import torch._dynamo.testing
import torch._functorch.config
import torch._inductor.config
from nn_dropout.torch import functional as F
from torch.utils.checkpoint import checkpoint

STEPS = 3


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    with torch._inductor.config.patch(force_disable_caches=True):
        yield
    torch._dynamo.reset()


class Net(torch.nn.Module):
    """A few layers with dropout of several kinds, each `segment` of which can be checkpointed."""

    def __init__(self, use_reentrant=None):
        super().__init__()
        self.linears = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(3))
        self.drop = nd.Dropout(0.3)
        self.path = nd.DropPath(0.3)
        self.use_reentrant = use_reentrant

    def segment(self, linear, x):
        return self.path(self.drop(torch.relu(linear(self.drop(x))))) + x

    def forward(self, x):
        for linear in self.linears:
            if self.use_reentrant is None:
                x = self.segment(linear, x)
            else:
                x = checkpoint(self.segment, linear, x, use_reentrant=self.use_reentrant)
        return x


def train(model, x):
    """Outputs and gradients of some steps, and where the generator is then."""
    torch.manual_seed(7)
    results = []
    for _ in range(STEPS):
        inputs = x.clone().requires_grad_()
        model.zero_grad()
        output = model(inputs)
        output.square().sum().backward()
        results += [output.detach(), inputs.grad, *(parameter.grad for parameter in model.parameters())]
    return results, torch.get_rng_state()


def assert_same(eager, compiled):
    for a, b in zip(eager[0], compiled[0], strict=True):
        torch.testing.assert_close(a, b)
    assert torch.equal(eager[1], compiled[1])


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("use_reentrant", [None, False, True])
def test_as_in_eager_mode(backend, use_reentrant):
    model, x = Net(use_reentrant), torch.randn(8, 16)
    is_whole = use_reentrant is not True
    assert_same(train(model, x), train(torch.compile(model, backend=backend, fullgraph=is_whole), x))


@pytest.mark.parametrize("budget", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("use_reentrant", [None, False])
def test_a_low_memory_budget_draws_no_fresh_mask(budget, use_reentrant):
    model, x = Net(use_reentrant), torch.randn(8, 16)
    eager = train(model, x)
    with torch._functorch.config.patch(activation_memory_budget=budget):
        assert_same(eager, train(torch.compile(model, fullgraph=True), x))


def test_one_graph_for_all_steps():
    model, x = Net(), torch.randn(8, 16)
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    outputs = [compiled(x) for _ in range(20)]
    assert counter.frame_count == 1
    assert all(not torch.equal(outputs[0], output) for output in outputs[1:])


def last_first(nodes):
    """The nodes of Inductor's scheduler in another order: of those that may come next, always the last one."""
    makes = {name: node for node in nodes for name in node.get_buffer_names()}
    waits = {node: {makes[dep.name] for dep in node.unmet_dependencies if dep.name in makes} - {node} for node in nodes}
    order = []
    while len(order) < len(nodes):
        order.append(next(node for node in reversed(nodes) if node not in order and waits[node] <= set(order)))
    return order


def test_calls_keep_their_order():
    """What the compiler may move around keeps its masks."""

    def branches(large, small):
        return F.dropout(large, 0.5).sum(0), F.dropout(small, 0.5), F.dropout(small, 0.5)

    large, small = torch.randn(64, 8), torch.randn(8)
    torch.manual_seed(1)
    eager = branches(large, small)
    moved = []
    change_order = lambda nodes: moved.append(last_first(nodes)) or moved[-1]
    with torch._inductor.config.patch(_post_fusion_custom_pass=change_order):
        torch.manual_seed(1)
        compiled = torch.compile(branches, fullgraph=True)(large, small)
    assert moved
    for a, b in zip(compiled, eager):
        torch.testing.assert_close(a, b)


def test_neighbouring_channels_have_masks_of_their_own():
    def after_a_transposition(x):
        return F.dropout(x.transpose(1, 2).contiguous(), 0.5)

    x = torch.ones(4, 64, 64, requires_grad=True)
    output = torch.compile(after_a_transposition, fullgraph=True)(x)
    output.sum().backward()
    kept = output.detach() != 0
    assert not any(torch.equal(kept[..., i], kept[..., i + 1]) for i in range(63))
    assert abs(kept.double().mean() - 0.5) < 0.02
    assert torch.equal(x.grad.transpose(1, 2) != 0, kept)


def test_eval_mode_draws_nothing():
    model, x = Net().eval(), torch.randn(8, 16)
    state = torch.get_rng_state()
    torch.testing.assert_close(torch.compile(model, fullgraph=True)(x), model(x))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("inplace", [False, True])
def test_shapes_that_change(inplace):
    drop = nd.Dropout(0.5, inplace=inplace)
    counter = torch._dynamo.testing.CompileCounterWithBackend("inductor")
    compiled = torch.compile(lambda x: drop(x * 2) + 1, backend=counter, dynamic=True, fullgraph=True)
    frames = 0
    for rows in (5, 9, 70, 300):
        x = torch.randn(rows, 33)
        torch.manual_seed(rows)
        eager = drop(x * 2) + 1
        torch.manual_seed(rows)
        torch.testing.assert_close(compiled(x), eager)
        frames = frames or counter.frame_count
    assert counter.frame_count == frames


@pytest.mark.parametrize(
    "layer",
    [
        nd.Dropout1d(0.5),
        nd.Dropout2d(0.5),
        nd.AlphaDropout(0.5),
        nd.FeatureAlphaDropout(0.5),
        nd.DropBlock2d(0.3, 3),
        nd.LockedDropout(0.5),
        nd.GaussianDropout(0.5),
        nd.GaussianNoise(0.5),
        nd.NeftuneNoise(5.0),
        nd.TokenDropout(0.5),
        nd.DropConnect(0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_every_layer(layer):
    x = torch.randn(3, 4, 6) if isinstance(layer, nd.Dropout1d) else torch.randn(3, 4, 6, 6)
    assert_same(train(layer, x), train(torch.compile(layer, backend="aot_eager", fullgraph=True), x))


def test_pytorchs_masks():
    """PyTorch draws what a compiled graph shows it."""
    drop = nd.Dropout(0.5, rng="torch")
    output = torch.compile(drop, fullgraph=True)(torch.ones(4096))
    assert set(output.tolist()) == {0.0, 2.0}


def test_parts_and_monte_carlo_compile_once_more():
    drop, x = nd.Dropout(0.5), torch.ones(4, 8)
    compiled = torch.compile(drop, backend="aot_eager", fullgraph=True)
    torch.manual_seed(1)
    whole = compiled(x)
    with nd.part(index=1, of=2):
        torch.manual_seed(1)
        assert torch.equal(compiled(x[2:]), whole[2:])
    prediction = nd.monte_carlo(compiled, x, samples=4)
    assert torch.equal(prediction.mean[0], prediction.mean[3])


def test_patched_functions_compile_once():
    """Also where they are there before the compiler is."""
    code = """
import torch, torch.nn as nn
import nn_dropout.torch as nd
layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.3, batch_first=True)
frames = []
compiled = torch.compile(nd.replace(layer), backend=lambda graph, _: frames.append(graph) or graph.forward)
for _ in range(4):
    with nd.patch():
        compiled(torch.randn(2, 5, 16))
assert len(frames) == 1, len(frames)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_vmap_and_grad_inside():
    def loss(x):
        return F.dropout(x, 0.5).square().sum()

    def gradients(x):
        return torch.vmap(torch.func.grad(loss), randomness="different")(x)

    x = torch.ones(3, 50)
    compiled = torch.compile(gradients, backend="aot_eager")(x)
    assert set(compiled.unique().tolist()) == {0.0, 8.0}
    assert not torch.equal(compiled[0], compiled[1])


def test_export():
    program = torch.export.export(Net().eval(), (torch.randn(8, 16),))
    assert not any("nn_dropout" in str(node.target) for node in program.graph.nodes)
