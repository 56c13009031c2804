"""PyTorch's own masks: everything is PyTorch's to the bit, the generator's state too."""

import copy

import nn_dropout.torch as ours
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def assert_same(our, theirs, x, seed=0, skip=0):
    """Checks output, gradient and the state of the generator."""
    results = []
    for function in (our, theirs):
        y = x.detach().clone(memory_format=torch.preserve_format) if 0 not in x.stride() else x.detach()
        y.requires_grad_(x.is_floating_point())
        torch.manual_seed(seed)
        torch.rand(skip)
        output = function(y * 1 if 0 not in x.stride() else y)
        if output.requires_grad:
            output.backward(torch.linspace(-1, 1, output.numel()).view(output.shape).to(output.dtype))
        results.append((output.detach(), y.grad, torch.get_rng_state()))
    (a, a_grad, a_state), (b, b_grad, b_state) = results
    assert a.dtype == b.dtype and a.stride() == b.stride()
    # The same bits: -0 is not 0.
    assert torch.equal(a, b) and torch.equal(a.signbit(), b.signbit())
    assert (a_grad is None and b_grad is None) or torch.equal(a_grad, b_grad)
    assert torch.equal(a_state, b_state)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_values(our, theirs, shape, dtype, p):
    x = torch.randn(shape).to(dtype)
    for inplace in (False, True):
        for skip in (0, 1, 7):
            assert_same(our(p, inplace, rng="torch"), theirs(p, inplace), x, skip=skip)


def test_functions(functions, shape):
    theirs, our = functions
    x = torch.randn(shape)
    for inplace in (False, True):
        assert_same(lambda x: our(x, 0.3, True, inplace, rng="torch"), lambda x: theirs(x, 0.3, True, inplace), x)
    assert our(x, 0.3, False, rng="torch") is x


def test_sizes(our, theirs, shape):
    # Around the size from which on we draw, and around multiples of what is drawn at once.
    for count in (0, 1, 2, 7, 255, 256, 257, 623, 624, 625, 1023, 1024, 1025, 1026, 1247, 1248, 1249, 4099, 70_001):
        for x in (torch.rand(count, 3)[:, 0].contiguous(), torch.rand(count, 1, 2), torch.rand(3, count)):
            a, b = our(0.4, rng="torch"), theirs(0.4)
            try:
                b(x)
            except RuntimeError:
                continue
            assert_same(a, b, x)


def test_strides(our, theirs, shape):
    wide = torch.rand([2 * size for size in shape])
    inputs = [
        torch.rand(shape).transpose(0, 1),
        torch.rand(shape).transpose(-1, -2),
        wide[tuple(slice(None, None, 2) for _ in shape)],
        wide[tuple(slice(1, size) for size in shape)],
        torch.rand(shape)[:, :1].expand(shape),
        torch.rand(shape).permute(*range(len(shape) - 1, -1, -1)),
    ]
    if len(shape) == 4:
        inputs.append(torch.rand(shape).to(memory_format=torch.channels_last))
        inputs.append(torch.rand(shape).to(memory_format=torch.channels_last)[:, 1:])
    for x in inputs:
        assert_same(our(0.3, rng="torch"), theirs(0.3), x)
        if 0 not in x.stride():
            assert_same(our(0.3, True, rng="torch"), theirs(0.3, True), x)


def test_edges(our, theirs, shape):
    for p in (0.0, 1e-17, 1e-10, 1 - 1e-10, 1.0):
        assert_same(our(p, rng="torch"), theirs(p), torch.rand(shape))
    for dtype in (torch.complex64, torch.complex128):
        x = torch.randn(shape, dtype=dtype)
        results = []
        for layer in (our(0.3, rng="torch"), theirs(0.3)):
            torch.manual_seed(0)
            results.append(layer(x))
        assert torch.equal(*results)


def test_without_gradient_and_in_inference(our, theirs, shape):
    x = torch.randn(shape)
    for mode in (torch.no_grad, torch.inference_mode):
        results = []
        for layer in (our(0.3, rng="torch"), theirs(0.3)):
            torch.manual_seed(0)
            with mode():
                results.append((layer(x), torch.get_rng_state()))
        assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])


def test_warns_once(outcome):
    for x in (torch.rand(3, 4, 5), torch.rand(30, 40, 5), torch.rand(2, 3, 4, 5, 6)):
        assert outcome(lambda: ours.Dropout2d(rng="torch")(x))[1] == outcome(lambda: nn.Dropout2d()(x))[1]


# Trainings.


def losses(model, inputs, patch=None, steps=3):
    """The losses of a small training, and the state of the generator after it."""
    model = copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    torch.manual_seed(1)
    found = []
    for _ in range(steps):
        if patch is None:
            output = model(*inputs)
        else:
            with patch:
                output = model(*inputs)
        output = output[0] if isinstance(output, tuple) else output
        loss = (output.data if isinstance(output, nn.utils.rnn.PackedSequence) else output).double().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found, torch.get_rng_state().tolist()


def assert_trains_alike(model, *inputs):
    torch.manual_seed(0)
    expected = losses(model, inputs)
    replaced = ours.replace(copy.deepcopy(model), rng="torch")
    with ours.patch(rng="torch"):
        assert losses(replaced, inputs) == expected
    # It is the masks that make the losses.
    ours.replace(replaced)
    with ours.patch():
        assert losses(replaced, inputs)[0] != expected[0]


def test_modules():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.Dropout2d(0.3), nn.SELU(), nn.AlphaDropout(0.2), nn.FeatureAlphaDropout(0.2),
        nn.Flatten(), nn.Linear(576, 64), nn.Dropout(0.5, inplace=True), nn.ReLU(), nn.Linear(64, 32),
        nn.Dropout(0.5), nn.Linear(32, 4),
    )  # fmt: skip
    assert_trains_alike(model, torch.randn(32, 3, 8, 8))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_transformer(norm_first, dtype):
    layer = nn.TransformerEncoderLayer(32, 4, 64, 0.2, batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).to(dtype)
    assert_trains_alike(model, torch.randn(4, 20, 32, dtype=dtype))
    mask = nn.Transformer.generate_square_subsequent_mask(20, dtype=dtype)
    assert_trains_alike(model, torch.randn(4, 20, 32, dtype=dtype), mask)


def test_decoder():
    layer = nn.TransformerDecoderLayer(32, 4, 64, 0.2)
    assert_trains_alike(nn.TransformerDecoder(layer, 2), torch.randn(9, 4, 32), torch.randn(20, 4, 32))


class Attention(nn.MultiheadAttention):
    def forward(self, x, **options):
        return super().forward(x, x, x, **options, need_weights=self.weights)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_attention(weights, padded):
    model = Attention(32, 4, dropout=0.3, batch_first=True)
    model.weights = weights
    padding = torch.zeros(4, 20, dtype=torch.bool)
    padding[1, 15:] = True
    model.forward = (lambda x: Attention.forward(model, x, key_padding_mask=padding)) if padded else model.forward
    x = torch.randn(4, 20, 32)
    results = []
    for patch in (None, ours.patch(rng="torch")):
        torch.manual_seed(5)
        model.zero_grad()
        if patch is None:
            y = model(x)[0]
        else:
            with patch:
                y = model(x)[0]
        y.square().sum().backward()
        results.append((y.detach(), model.in_proj_weight.grad.clone(), torch.get_rng_state()))
    for a, b in zip(*results):
        assert torch.equal(a, b)


@pytest.mark.parametrize("network", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True},
        {"bidirectional": True},
        {"bias": False},
        {"bidirectional": True, "batch_first": True, "bias": False, "num_layers": 3},
        {"proj_size": 5},
        {"proj_size": 5, "bidirectional": True},
        {"nonlinearity": "relu"},
    ],
    ids=str,
)
def test_recurrent(network, options):
    if ("proj_size" in options and network is not nn.LSTM) or ("nonlinearity" in options and network is not nn.RNN):
        pytest.skip("it has no such option")
    model = network(6, 16, **{"num_layers": 2, "dropout": 0.4, **options})
    x = torch.randn(12, 12, 6)
    assert_trains_alike(model, x)
    packed = pack_padded_sequence(x, torch.arange(12, 0, -1), batch_first=options.get("batch_first", False))
    assert_trains_alike(model, packed)
    assert_trains_alike(model, x[0])
    # All that it returns: the last states too.
    with ours.patch(rng="torch"):
        torch.manual_seed(3)
        y, state = model(x)
    torch.manual_seed(3)
    z, expected = model(x)
    states = zip(state, expected) if isinstance(state, tuple) else [(state, expected)]
    assert torch.equal(y, z) and all(torch.equal(a, b) for a, b in states)


def test_attention_function():
    q, k, v = (torch.randn(2, 4, 30, 8) for _ in range(3))
    mask = torch.rand(30, 30) > 0.3
    mask[4] = False
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        for options in ({}, {"is_causal": True}, {"scale": 0.3}, {"scale": -0.3}, {"attn_mask": mask}):
            results = []
            for function in (
                lambda *a, **o: ours.functional.scaled_dot_product_attention(*a, **o, rng="torch"),
                nn.functional.scaled_dot_product_attention,
            ):
                torch.manual_seed(4)
                results.append(function(q.to(dtype), k.to(dtype), v.to(dtype), dropout_p=0.3, **options))
            assert torch.equal(*results), (dtype, options)
