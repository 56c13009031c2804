"""Attention with dropout, in one function, against its definition."""

import math

import nn_dropout.torch as nd
import pytest
import torch
from nn_dropout.torch import _attention
from nn_dropout.torch import functional as F

P = 0.4


def defined(query, key, value, attn_mask=None, is_causal=False, scale=None):
    """The definition, with dropout as an operation of its own."""
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return F.dropout(scores.softmax(-1).nan_to_num(0.0), P) @ value


def inputs(dtype=torch.float64, batch=(2, 3), length=7, others=5):
    torch.manual_seed(0)
    shapes = [(*batch, length, 4), (*batch, others, 4), (*batch, others, 6)]
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


def results(attention, tensors, **options):
    torch.manual_seed(3)
    output = attention(*tensors, **options)
    weight = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view(output.shape)
    return [output, *torch.autograd.grad((output * weight).sum(), tensors)]


ours = lambda *args, **options: F.scaled_dot_product_attention(*args, dropout_p=P, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": -0.3},
        {"attn_mask": torch.arange(35).view(7, 5) % 3 > 0},
        {"attn_mask": torch.arange(35).view(7, 5) % 3 > 4},
        {"attn_mask": torch.randn(7, 5, dtype=torch.float64)},
        {"attn_mask": torch.randn(2, 1, 7, 5, dtype=torch.float64)},
        {"attn_mask": torch.randn(2, 3, 1, 5, dtype=torch.float64) > 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [(2, 3), (2, 1), ()])
def test_as_defined(options, batch):
    mask = options.get("attn_mask")
    if mask is not None and mask.dim() > 2:
        if batch != (2, 3):
            pytest.skip("the mask is for another batch")
    tensors = inputs(batch=batch)
    for a, b in zip(results(ours, tensors, **options), results(defined, tensors, **options)):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types(dtype):
    tensors = inputs(dtype)
    for a, b in zip(results(ours, tensors), results(defined, [t.detach().float().requires_grad_() for t in tensors])):
        assert a.dtype == dtype
        torch.testing.assert_close(a.float(), b, rtol=0.02, atol=0.02)


def test_gradients_of_any_order():
    query, key, value = inputs(batch=(2,), length=3, others=4)
    bias = torch.randn(3, 4, dtype=torch.float64)

    def attend(*tensors):
        torch.manual_seed(1)
        return _attention.attend(*tensors, bias, P, 0.5, False)

    assert torch.autograd.gradcheck(attend, (query, key, value), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(attend, (query, key, value), fast_mode=True)
    assert torch.autograd.gradcheck(attend, (query.detach(), key, value.detach()))


def test_a_learned_bias_has_its_gradient():
    tensors, bias = inputs(), torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    (ours_,) = torch.autograd.grad(ours(*tensors, attn_mask=bias).square().sum(), bias)
    torch.manual_seed(1)
    (expected,) = torch.autograd.grad(defined(*tensors, attn_mask=bias).square().sum(), bias)
    torch.testing.assert_close(ours_, expected)


def test_weights_are_kept_once():
    query, key, value = inputs(length=30, others=40)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        ours(query, key, value)
    assert sum(shape[-2:] == (30, 40) for shape in kept) == 1


def test_parts_and_samples():
    tensors = [tensor.detach() for tensor in inputs(batch=(4, 2))]
    torch.manual_seed(1)
    whole = ours(*tensors)
    with nd.part(index=1, of=2):
        torch.manual_seed(1)
        torch.testing.assert_close(ours(*(tensor[2:] for tensor in tensors)), whole[2:])


def test_compiled_transformed_and_in_low_precision():
    tensors = inputs(torch.float32)
    torch.manual_seed(1)
    eager = ours(*tensors)
    torch.manual_seed(1)
    compiled = torch.compile(ours, backend="aot_eager", fullgraph=True)(*tensors)
    torch.testing.assert_close(compiled, eager)
    torch.manual_seed(1)
    mapped = torch.vmap(ours, randomness="different")(*(tensor[:, None] for tensor in tensors))
    assert mapped.shape == (2, 1, 3, 7, 6)
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(1)
        output = ours(*tensors)
    output.sum().backward()
    torch.testing.assert_close(output.float(), eager, rtol=0.05, atol=0.05)
