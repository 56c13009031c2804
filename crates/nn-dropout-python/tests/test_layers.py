"""The layers: PyTorch's six against PyTorch itself, and the others against their definitions."""

import copy
import inspect
import pickle

import nn_dropout.torch as ours
import pytest
import torch
from nn_dropout.torch import functional as F
from torch import nn

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def noisy(function, seed=42):
    torch.manual_seed(seed)
    return function()


# The six of PyTorch.


def test_signatures_and_text(theirs, our, functions):
    def arguments(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind is not p.KEYWORD_ONLY]

    assert arguments(our) == arguments(theirs)
    assert arguments(functions[1]) == arguments(functions[0])
    layer = our(0.25, True)
    assert isinstance(layer, theirs) and repr(layer) == repr(theirs(0.25, True))
    assert (layer.p, layer.inplace, layer.training) == (0.25, True, True)
    assert repr(our(p=0.5, rng="torch")) == repr(theirs(p=0.5))[:-1] + ", rng='torch')"


@pytest.mark.parametrize("p", [0, 0.5, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_shapes_as_in_torch(theirs, our, functions, outcome, p, training):
    for dimensions in range(7):
        for size in (0, 2):
            x = torch.rand([size] * dimensions)
            assert outcome(lambda: our(p).train(training)(x)) == outcome(lambda: theirs(p).train(training)(x))
            assert outcome(lambda: functions[1](x, p, training)) == outcome(lambda: functions[0](x, p, training))


@pytest.mark.parametrize("inplace", [False, True])
def test_memory_as_in_torch(theirs, our, functions, outcome, shape, inplace):
    wide = torch.rand([2 * size for size in shape])
    inputs = {
        "transposed": torch.rand(shape).transpose(0, 1),
        "strided": wide[tuple(slice(None, None, 2) for _ in shape)],
        "expanded": torch.rand(shape)[:, :1].expand(shape),
        "channels last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "empty": torch.rand(0, 3, 4),
        "requires grad": torch.rand(shape, requires_grad=True) * 1,
        "nested": torch.nested.nested_tensor([torch.rand(2, 3)], layout=torch.jagged),
    }
    for label, x in inputs.items():
        if label == "nested" and isinstance(outcome(lambda: functions[0](x, 0.5, True, inplace))[0][1], str):
            continue
        for ours_, theirs_ in [
            (lambda x: our(0.5, inplace)(x), lambda x: theirs(0.5, inplace)(x)),
            (lambda x: functions[1](x, 0.5, True, inplace), lambda x: functions[0](x, 0.5, True, inplace)),
        ]:
            copies = [copy.deepcopy(x.detach()).requires_grad_(x.requires_grad) * 1 if x.requires_grad else x] * 2
            assert outcome(lambda: ours_(copies[0])) == outcome(lambda: theirs_(copies[1])), label


def test_types_as_in_torch(theirs, our, outcome, shape):
    complexes = [torch.complex64, torch.complex128]
    others = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool]
    for dtype in FLOATS + complexes + others:
        x = torch.ones(shape).to(dtype)
        for p in (0.5, 1.0):
            assert outcome(lambda: our(p)(x)) == outcome(lambda: theirs(p)(x)), (dtype, p)
    for x in ([1.0], None, 1.0):
        assert outcome(lambda: our(0.5)(x)) == outcome(lambda: theirs(0.5)(x))


def test_wrong_p_as_in_torch(theirs, our, functions, outcome, shape):
    x = torch.rand(shape)
    for p in (-0.1, 1.1, float("inf"), float("nan"), "a", None, [0.5], 0.5j, torch.ones(2)):
        assert outcome(lambda: our(p)(x)) == outcome(lambda: theirs(p)(x)), p
        assert outcome(lambda: functions[1](x, p, True)) == outcome(lambda: functions[0](x, p, True)), p
    with pytest.raises(ValueError, match="^rng has to be 'philox' or 'torch', but got 'numpy'$"):
        our(rng="numpy")


def test_same_elements_and_values_of_each_type(name, our, shape):
    expected = noisy(lambda: our(0.3)(torch.ones(shape, dtype=torch.float64)))
    for dtype in FLOATS + [torch.complex64, torch.complex128]:
        if dtype.is_complex and "Alpha" in name:
            continue
        y = noisy(lambda: our(0.3)(torch.ones(shape, dtype=dtype)))
        tolerance = {torch.bfloat16: 1e-2, torch.float16: 1e-3}.get(dtype, 1e-6)
        torch.testing.assert_close(y.to(torch.complex128).real, expected, rtol=tolerance, atol=tolerance)


def test_same_elements_whatever_the_strides(our, shape):
    x = torch.rand(shape)
    expected = noisy(lambda: our(0.3)(x))
    strided = torch.rand([2 * size for size in shape])[tuple(slice(None, None, 2) for _ in shape)].copy_(x)
    transposed = x.transpose(-1, -2).contiguous().transpose(-1, -2)
    for same in (strided, transposed):
        assert torch.equal(noisy(lambda: our(0.3)(same)), expected)
        output = noisy(lambda: our(0.3, inplace=True)(same))
        assert torch.equal(output, expected)


def test_elements_or_channels_are_dropped_at_the_rate(name, our):
    x = torch.ones((20_000, 5, 2) if name in ("Dropout1d", "FeatureAlphaDropout") else (10_000, 5, 2, 1))
    if name == "Dropout3d":
        x = x.unsqueeze(-1)
    for p in (0.1, 0.5, 0.9):
        y = our(p)(x)
        kept = y == y.max()
        if "Alpha" not in name:
            assert set(y.unique().tolist()) == {0.0, torch.tensor(1 / (1 - p)).item()}
        if name not in ("Dropout", "AlphaDropout"):
            channels = kept.flatten(2)
            assert torch.equal(channels.any(-1), channels.all(-1))
            kept = channels[..., 0]
        # Six standard deviations.
        assert abs(kept.double().mean().item() - (1 - p)) < 6 * (p * (1 - p) / kept.numel()) ** 0.5


def test_alpha_keeps_mean_and_variance():
    y = ours.AlphaDropout(0.3)(torch.randn(1_000_000, dtype=torch.float64))
    assert abs(y.mean()) < 0.01 and abs(y.var() - 1) < 0.02


def test_inplace(name, theirs, our, functions, shape):
    x = torch.rand(shape)
    expected = noisy(lambda: our(0.5)(x))
    for function in (lambda x: our(0.5, True)(x), lambda x: functions[1](x, 0.5, True, True)):
        y = x.clone()
        output = noisy(lambda: function(y))
        # Modules of alpha dropout ignore it, in PyTorch too.
        overwritten = "Alpha" not in name or "functions" in function.__code__.co_freevars
        assert torch.equal(output, expected) and (output is y) == overwritten
        assert y._version == int(overwritten)
    before = torch.rand(shape, requires_grad=True)
    middle = before.exp()
    functions[1](middle, 0.5, True, True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        middle.sum().backward()
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        functions[1](before, 0.5, True, True)
    after = before * 1
    assert (after > 0).all()
    torch.manual_seed(42)
    functions[1](after, 0.5, True, True).sum().backward()
    gradient = before.grad
    before.grad = None
    torch.manual_seed(42)
    functions[1](before, 0.5, True, False).sum().backward()
    assert torch.equal(gradient, before.grad)


def test_views_that_torch_resolves_late(name, our, shape):
    x = torch.rand(shape)
    views = [(torch._neg_view(x), -x)]
    if "Alpha" not in name:
        z = torch.complex(x, x + 1)
        views.append((z.conj(), z.conj().resolve_conj()))
    for view, same in views:
        expected = noisy(lambda: our(0.5)(same))
        assert torch.equal(noisy(lambda: our(0.5)(view)), expected)
        copied = view.clone() if view.is_complex() else torch._neg_view(x.clone())
        assert torch.equal(noisy(lambda: our(0.5, True)(copied)), expected)


def test_subclasses_and_traces(our, shape):
    class Mine(torch.Tensor):
        pass

    x = torch.rand(shape)
    expected = noisy(lambda: our(0.5)(x))
    y = noisy(lambda: our(0.5)(x.as_subclass(Mine)))
    assert type(y) is Mine and torch.equal(y.as_subclass(torch.Tensor), expected)
    traced = torch.fx.symbolic_trace(nn.Sequential(our(0.5)))
    assert torch.equal(noisy(lambda: traced(x)), expected)


def test_gradients(our, shape):
    def function(x):
        return noisy(lambda: our(0.3)(x))

    small = torch.randn([min(size, 3) for size in shape], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, small) and torch.autograd.gradgradcheck(function, small)
    large = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, large, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, large, fast_mode=True)
    transposed = torch.randn(shape, dtype=torch.float64).transpose(0, 1).requires_grad_()
    assert torch.autograd.gradcheck(function, transposed, fast_mode=True)


def test_modes(our, shape):
    x = torch.rand(shape)
    layer = our(0.5).eval()
    state = torch.get_rng_state()
    assert layer(x) is x and our(0)(x) is x
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(layer.train()(x), layer(x))
    zero = our(1)(x)
    assert torch.equal(zero, torch.zeros(shape))


def test_copies_and_states(theirs, our, shape):
    layer = our(0.3, rng="torch")
    assert not layer.state_dict() and not list(layer.parameters()) and not list(layer.buffers())
    theirs().load_state_dict(layer.state_dict())
    layer.load_state_dict(theirs().state_dict())
    for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(same) is our and repr(same) == repr(layer)
        x = torch.rand(shape)
        assert torch.equal(noisy(lambda: same(x)), noisy(lambda: layer(x)))


def test_the_generator_moves_on_as_much_whatever_the_size(our, shape):
    states = []
    for x in (torch.rand(shape), torch.rand([2 * size for size in shape])):
        torch.manual_seed(3)
        our(0.5)(x)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


# The layers that PyTorch does not have.

OTHERS = {
    ours.DropPath: (8, 5, 3),
    ours.DropBlock2d: (2, 3, 12, 12),
    ours.DropBlock3d: (2, 3, 9, 9, 9),
    ours.LockedDropout: (4, 5, 60),
    ours.GaussianDropout: (6, 70),
    ours.GaussianNoise: (6, 70),
    ours.NeftuneNoise: (3, 7, 16),
    ours.DropConnect: (20, 30),
    ours.TokenDropout: (3, 20, 8),
    ours.DropKey: (2, 4, 6, 6),
}


@pytest.mark.parametrize("layer", OTHERS)
def test_what_all_layers_do(layer):
    x = torch.rand(OTHERS[layer])
    drop = layer()
    y = noisy(lambda: drop(x))
    assert y.shape == x.shape and not torch.equal(y, x)
    assert torch.equal(noisy(lambda: drop(x)), y) and not torch.equal(drop(x), y)
    for same in (copy.deepcopy(drop), pickle.loads(pickle.dumps(drop))):
        assert torch.equal(noisy(lambda: same(x)), y) and repr(same) == repr(drop)
    assert not drop.state_dict()
    assert layer(0)(x) is x and drop.eval()(x) is x
    drop.train()
    if "inplace" in inspect.signature(layer).parameters:
        z = x.clone()
        assert noisy(lambda: layer(inplace=True)(z)) is z and torch.equal(z, y)
    for dtype in FLOATS:
        assert noisy(lambda: drop(x.to(dtype))).dtype == dtype
    if layer is not ours.DropKey:
        small = torch.randn(x.shape, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: noisy(lambda: drop(x)), small, fast_mode=True)
    with pytest.raises(ValueError):
        layer(-1.0)


@pytest.mark.parametrize(
    ("function", "layer", "shape"),
    [
        (F.drop_path, ours.DropPath, (8, 5)),
        (F.drop_block2d, ours.DropBlock2d, (2, 3, 12, 12)),
        (F.drop_block3d, ours.DropBlock3d, (2, 3, 9, 9, 9)),
        (F.locked_dropout, ours.LockedDropout, (4, 5, 60)),
        (F.gaussian_dropout, ours.GaussianDropout, (6, 70)),
        (F.gaussian_noise, ours.GaussianNoise, (6, 70)),
        (F.neftune_noise, ours.NeftuneNoise, (3, 7, 16)),
        (F.token_dropout, ours.TokenDropout, (3, 20, 8)),
        (F.drop_key, ours.DropKey, (2, 4, 6, 6)),
    ],
)
def test_functions_and_layers_are_the_same(function, layer, shape):
    x = torch.rand(shape)
    assert torch.equal(noisy(lambda: function(x)), noisy(lambda: layer()(x)))
    assert function(x, training=False) is x


def test_drop_path():
    x = torch.rand(1000, 3, 2)
    y = ours.DropPath(0.25)(x)
    kept = y.flatten(1).any(1)
    torch.testing.assert_close(y, x * kept[:, None, None] / 0.75)
    assert 180 < (~kept).sum() < 320
    y = ours.DropPath(0.5, scale_by_keep=False)(x)
    assert torch.equal(y, x * y.flatten(1).any(1)[:, None, None])
    assert {len(ours.DropPath(0.5, "batch")(x).flatten().bool().unique()) for _ in range(20)} == {1}
    with pytest.raises(RuntimeError, match="^drop-path takes tensors of at least 1 dimension, but got 0$"):
        ours.DropPath()(torch.tensor(1.0))
    with pytest.raises(ValueError, match="mode|variant|unknown"):
        ours.DropPath(0.5, "column")


def test_drop_block():
    y = ours.DropBlock2d(0.2, 3)(torch.ones(2, 3, 20, 20))
    kept = y > 0
    torch.testing.assert_close(y[kept].unique(), torch.tensor([kept.numel() / kept.sum().item()]))
    # Each dropped element is in a block of which all is dropped.
    blocks = nn.functional.max_pool2d(kept.float(), 3, 1)
    covered = nn.functional.conv_transpose2d((1 - blocks).flatten(0, 1)[:, None], torch.ones(1, 1, 3, 3))
    assert torch.equal(covered.view_as(kept) > 0, ~kept)
    coupled = ours.DropBlock2d(0.2, 3, coupled_channels=True)(torch.ones(2, 3, 20, 20))
    assert torch.equal(coupled, coupled[:, :1].expand_as(coupled))
    last = noisy(lambda: ours.DropBlock2d(0.2, 3, channels_last=True)(torch.ones(2, 20, 20, 3)))
    assert torch.equal(last.permute(0, 3, 1, 2), noisy(lambda: ours.DropBlock2d(0.2, 3)(torch.ones(2, 3, 20, 20))))
    with pytest.raises(RuntimeError, match="^drop-block2d takes tensors of 4 dimensions"):
        ours.DropBlock2d()(torch.ones(3, 8, 8))
    with pytest.raises(ValueError, match="block_size has to be at least 1, but got 0|nonzero"):
        ours.DropBlock2d(0.1, 0)


def test_locked_dropout():
    x = torch.ones(50, 4, 3, 5)
    y = noisy(lambda: ours.LockedDropout(0.5, axis=(1, 2))(x))
    assert torch.equal(y, noisy(lambda: F.locked_dropout(x, axis=(1, 2))))
    assert torch.equal(y, y[:, :1, :1].expand_as(y)) and len(y[:, 0, 0].unique()) == 2
    y = ours.LockedDropout(0.5)(torch.ones(4, 6, 50))
    assert torch.equal(y, y[:, :1].expand_as(y)) and not torch.equal(y[0], y[1])
    x = torch.ones(2, 3)
    with pytest.raises(RuntimeError):
        ours.LockedDropout(0.5, axis=2)(x)


def test_gaussian_and_uniform_noise():
    x = torch.full((1_000_000,), 2.0, dtype=torch.float64)
    y = ours.GaussianDropout(0.2)(x) / x - 1
    assert abs(y.mean()) < 0.003 and abs(y.std() - 0.5) < 0.003
    y = ours.GaussianNoise(0.3)(x) - x
    assert abs(y.mean()) < 0.002 and abs(y.std() - 0.3) < 0.002
    y = ours.NeftuneNoise(5.0)(torch.zeros(100, 25, 4))
    assert y.abs().max() <= 0.5 and abs(y.std() - 0.5 / 3**0.5) < 0.01
    with pytest.raises(ValueError, match="^gaussian-dropout takes p below 1: the variance of its noise is p / "):
        ours.GaussianDropout(1.0)
    with pytest.raises(ValueError, match="^stddev: expected a finite number of at least 0, but got -1$"):
        ours.GaussianNoise(-1.0)
    with pytest.raises(RuntimeError, match="^neftune-noise takes tensors of at least 2 dimensions, but got 1$"):
        ours.NeftuneNoise()(torch.zeros(4))


def test_token_dropout_and_drop_key():
    y = ours.TokenDropout(0.5)(torch.ones(3, 40, 8))
    assert torch.equal(y, y[..., :1].expand_as(y)) and set(y.unique().tolist()) == {0, 2}
    y = ours.DropKey(0.5)(torch.full((2, 30, 30), 0.25))
    assert set(y.unique().tolist()) == {float("-inf"), 0.25}
    x = torch.zeros(2, 30, 30, requires_grad=True)
    y = ours.DropKey(0.5)(x)
    y.backward(torch.ones_like(y))
    assert torch.equal(x.grad, (y > -1).float())


def test_embedding_dropout():
    table = nn.Embedding(1000, 4)
    drop = ours.EmbeddingDropout(table, 0.5)
    words = torch.randint(1000, (50, 60))
    y = noisy(lambda: drop(words))
    kept = y.any(-1)
    torch.testing.assert_close(y, table(words) * kept[..., None] * 2)
    # A word has the same fate wherever it is.
    for word in words.unique()[:50]:
        assert len(kept[words == word].unique()) == 1
    assert torch.equal(noisy(lambda: F.embedding_dropout(words, table.weight)), y)
    assert torch.equal(drop.eval()(words), table(words))
    y.sum().backward()
    assert table.weight.grad.any()
    assert list(drop.state_dict()) == ["embedding.weight"]


def test_weight_drop():
    linear = nn.Linear(30, 20)
    drop = ours.WeightDrop(linear, 0.5, ["weight"])
    x = torch.eye(30)
    y = drop(x) - linear.bias
    kept = y != 0
    torch.testing.assert_close(y, linear.weight.t() * kept * 2)
    assert 200 < kept.sum() < 400
    assert torch.equal(drop.eval()(x), linear(x))
    lstm = ours.WeightDrop(nn.LSTM(3, 8), 0.5)
    before = lstm.module.weight_hh_l0.clone()
    x = torch.rand(4, 2, 3)
    one, two = lstm(x)[0], lstm(x)[0]
    assert not torch.equal(one, two) and torch.equal(lstm.module.weight_hh_l0, before)
    one.sum().backward()
    # Dropped elements have no gradient.
    assert (lstm.module.weight_hh_l0.grad == 0).float().mean() > 0.3
    assert torch.equal(lstm.eval()(x)[0], lstm.module(x)[0])
    with pytest.raises(ValueError, match="^names has to be among .*, but got 'weights'$"):
        ours.WeightDrop(linear, 0.5, ["weights"])


def test_layer_drop():
    drop = ours.LayerDrop(nn.Linear(1, 1), 0.5)
    x = torch.ones(1, 1)
    skipped = sum(drop(x) is x for _ in range(1000))
    assert 400 < skipped < 600
    assert drop.eval()(x) is not x


def test_zoneout():
    new, previous = torch.full((40, 50), 5.0, requires_grad=True), torch.ones(40, 50, requires_grad=True)
    drop = ours.Zoneout(0.25)
    y = drop(new, previous)
    assert set(y.unique().tolist()) == {1.0, 5.0} and 350 < (y == 1).sum() < 650
    y.sum().backward()
    assert torch.equal(new.grad, (y == 5).float()) and torch.equal(previous.grad, (y == 1).float())
    assert torch.equal(drop.eval()(new, previous), torch.full((40, 50), 4.0))
    assert ours.Zoneout(0)(new, previous) is new


def test_label_dropout():
    labels = torch.randint(10, (1000,))
    y = ours.LabelDropout(10, 0.25)(labels)
    assert torch.equal(y[y < 10], labels[y < 10]) and 180 < (y == 10).sum() < 320
    null = nn.Parameter(torch.tensor([-1.0, -2.0]))
    rows = torch.ones(100, 2, requires_grad=True)
    drop = ours.LabelDropout(null, 0.5)
    assert list(drop.state_dict()) == ["null"]
    y = drop(rows)
    replaced = (y == null).all(1)
    assert torch.equal(y[~replaced], rows[~replaced])
    y.sum().backward()
    assert torch.equal(null.grad, torch.full((2,), float(replaced.sum())))
    assert drop.eval()(rows) is rows


def test_graphs():
    edges = torch.randint(100, (2, 5000))
    left, kept = ours.EdgeDropout(0.25)(edges)
    assert torch.equal(left, edges[:, kept]) and abs(kept.float().mean() - 0.75) < 0.05
    left, kept, nodes = ours.NodeDropout(0.5)(edges, 100)
    assert torch.equal(left, edges[:, kept]) and torch.equal(kept, nodes[edges[0]] & nodes[edges[1]])
    assert 20 < nodes.sum() < 80
    left, kept, nodes = ours.NodeDropout(0.5).eval()(edges, 100)
    assert left.shape == edges.shape and kept.all() and nodes.all()
    left, kept = ours.EdgeDropout(0.5).eval()(edges)
    assert left is edges and kept.all()


def test_p_of_wrappers():
    for make in (ours.Zoneout, ours.EdgeDropout, ours.NodeDropout):
        for p in (-0.1, 1.1, float("nan")):
            with pytest.raises(ValueError, match="^dropout probability has to be between 0 and 1, but got "):
                make(p)
        assert repr(make(0.25)) == f"{make.__name__}(p=0.25)"


def test_attention_as_in_torch(outcome):
    q, k, v = torch.randn(2, 4, 5, 8), torch.randn(2, 4, 6, 8), torch.randn(2, 4, 6, 3)
    scores = F.scaled_dot_product_attention
    theirs = nn.functional.scaled_dot_product_attention
    allowed = torch.rand(5, 6) > 0.3
    allowed[2] = False
    for mask in (None, allowed, torch.randn(5, 6)):
        for causal in (False, True):
            for dropout in (0.0, 1e-12):
                a = outcome(lambda: scores(q, k, v, mask, dropout, causal))
                assert a == outcome(lambda: theirs(q, k, v, mask, dropout, causal))
                if isinstance(a[0][1], str):
                    continue
                y = scores(q, k, v, mask, dropout, causal)
                torch.testing.assert_close(y, theirs(q, k, v, mask, 0.0, causal))
    assert torch.equal(scores(q, k, v, dropout_p=0.9, training=False), theirs(q, k, v))
    y = scores(q, k[:, :2], v[:, :2], dropout_p=1e-12, scale=-0.3, enable_gqa=True)
    torch.testing.assert_close(y, theirs(q, k[:, :2], v[:, :2], scale=-0.3, enable_gqa=True))
