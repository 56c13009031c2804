"""The operation itself, in eager mode: keys, gradients, transformations, checkpoints, threads and memory."""

import copy
import subprocess
import sys
import threading

import nn_dropout
import nn_dropout.torch as nd
import numpy as np
import pytest
import torch
from nn_dropout.torch import _op
from nn_dropout.torch import functional as F
from torch.utils.checkpoint import checkpoint

SPEC = _op.spec("dropout")
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
#: Around what is done in another way: an empty tensor, one product, letting other threads run, several threads.
SIZES = [0, 1, 7, 255, 256, 257, 4095, 4096, 4097, (1 << 17) - 1, (1 << 17) + 9]


def noise(x, key, p=0.5, form="forward", spec=SPEC):
    return torch.ops.nn_dropout.noise(x, torch.tensor(key), spec, p, None, form, False, None, None)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_mask_and_values_are_the_librarys(size, dtype):
    torch.manual_seed(3)
    seed = _op.next_key().item()
    torch.manual_seed(3)
    x = torch.arange(size).remainder(509).sub(7).to(dtype).requires_grad_()
    y = F.dropout(x, 0.3)
    kept = torch.from_numpy(nn_dropout.mask(size, 0.3, seed=seed))
    scale = torch.where(kept, torch.tensor(1 / (1 - 0.3), dtype=torch.float64), 0).to(dtype)
    assert torch.equal(y, x * scale)
    y.backward(torch.ones_like(y))
    assert torch.equal(x.grad, scale)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(threads):
    x, before = torch.randn(1 << 20), torch.get_num_threads()
    expected = noise(x, 5)
    torch.set_num_threads(threads)
    assert torch.equal(noise(x, 5), expected)
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.transpose(1, 2),
        lambda x: x[:, ::2],
        lambda x: x[1:, 3:, :4],
        lambda x: x.permute(2, 0, 1),
        lambda x: x[:, :1].expand(-1, 9, -1),
        lambda x: x[0, 0, 0],
        lambda x: x[:, :0],
        lambda x: x.as_strided((4, 5), (5, 1)),
    ],
)
def test_any_strides(view):
    x = torch.randn(6, 10, 7)
    viewed = view(x)
    expected = noise(viewed.contiguous(), 5)
    assert torch.equal(noise(viewed, 5), expected)
    assert noise(viewed, 5).stride() == torch.empty_like(viewed).stride()
    if viewed.stride() == () or 0 not in viewed.stride():
        torch.manual_seed(1)
        expected = F.dropout(viewed.contiguous(), 0.5)
        torch.manual_seed(1)
        assert F.dropout(viewed, 0.5, inplace=True) is viewed
        assert torch.equal(viewed, expected)


def test_seeding_forking_and_resuming():
    x = torch.ones(1000)
    torch.manual_seed(1)
    first, state, second = F.dropout(x), torch.get_rng_state(), F.dropout(x)
    assert not torch.equal(first, second)
    with torch.random.fork_rng():
        F.dropout(x)
    torch.set_rng_state(state)
    assert torch.equal(F.dropout(x), second)
    torch.manual_seed(1)
    assert torch.equal(F.dropout(x), first)


def test_a_call_takes_two_words_whatever_the_size():
    torch.manual_seed(1)
    F.dropout(torch.ones(5))
    F.dropout(torch.ones(5000))
    after = torch.rand(1)
    torch.manual_seed(1)
    torch.randint(2**62, (2,))
    assert torch.equal(torch.rand(1), after)


@pytest.mark.parametrize("form", _op.FORMS)
def test_opcheck(form):
    x = torch.randn(4, 6, requires_grad=True)
    inputs = [x, x.detach(), torch.randn(6, 4).t().requires_grad_(), torch.randn(0, 3, requires_grad=True)]
    key = torch.tensor(5)
    for input in inputs:
        args = (input, key, SPEC, 0.5, None, form, False, None, None)
        torch.library.opcheck(torch.ops.nn_dropout.noise.default, args)
    factor = torch.tensor(0.5, dtype=torch.float64)
    torch.library.opcheck(torch.ops.nn_dropout.noise.default, (x, key, SPEC, 0.5, factor, form, True, [8, 6], [4, 0]))


@pytest.mark.parametrize(
    "spec,amount", [(SPEC, 0.5), (_op.spec("alpha-dropout"), 0.3), (_op.spec("gaussian-noise"), 0.5)]
)
@pytest.mark.parametrize("size", [20, 400])
def test_gradients(spec, amount, size):
    x = torch.randn(size, dtype=torch.float64, requires_grad=True)
    key = torch.tensor(5)
    eager = lambda x: _op.apply(x, spec, amount, key=key)
    assert torch.autograd.gradcheck(eager, x, check_forward_ad=True, check_batched_grad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: eager(x.square()), x, fast_mode=True)
    registered = lambda x: noise(x, 5, amount, spec=spec)
    assert torch.autograd.gradcheck(registered, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: registered(x.square()), x, fast_mode=True)


@pytest.mark.parametrize("size", [100, 1000])
def test_nothing_of_the_size_of_the_mask_is_kept(size):
    x, sizes = torch.randn(size, requires_grad=True), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        F.dropout(x, 0.5)
    # Of so few elements that the graph's node would be larger, a product keeps its factors.
    assert sum(sizes) == (size if size <= _op._SMALL else 0)


def test_forward_mode_and_functional_transformations():
    x, tangent = torch.randn(300), torch.randn(300)
    torch.manual_seed(1)
    expected = F.dropout(torch.ones(300))
    for jvp in (torch.func.jvp, torch.autograd.functional.jvp):
        torch.manual_seed(1)
        assert torch.equal(jvp(F.dropout, (x,), (tangent,))[1], tangent * expected)
    with torch.autograd.forward_ad.dual_level():
        torch.manual_seed(1)
        dual = F.dropout(torch.autograd.forward_ad.make_dual(x, tangent))
        assert torch.equal(torch.autograd.forward_ad.unpack_dual(dual).tangent, tangent * expected)
    torch.manual_seed(1)
    assert torch.equal(torch.func.grad(lambda x: F.dropout(x).sum())(x), expected)
    torch.manual_seed(1)
    jacobian = torch.func.jacrev(F.dropout, chunk_size=7)(x)
    assert torch.equal(jacobian, expected.diag())


def test_vmap():
    x = torch.ones(4, 200)
    different = torch.vmap(F.dropout, randomness="different")(x)
    assert len({row.numpy().tobytes() for row in different}) == 4
    same = torch.vmap(F.dropout, randomness="same")(x)
    assert len({row.numpy().tobytes() for row in same}) == 1 and 0 in same
    with pytest.raises(RuntimeError, match="randomness"):
        torch.vmap(F.dropout)(x)
    # Over what is not dropped out; over another axis; in place; one in another.
    assert torch.vmap(lambda y: F.dropout(torch.ones(50)) + y, randomness="different")(torch.zeros(3)).shape == (3, 50)
    across = torch.vmap(F.dropout, in_dims=1, out_dims=1, randomness="different")(x)
    assert across.shape == x.shape and len({column.numpy().tobytes() for column in across.t()}) > 4
    inplace = torch.vmap(lambda x: F.dropout(x, inplace=True), randomness="different")(x.clone())
    assert set(inplace.unique().tolist()) == {0.0, 2.0}
    nested = torch.vmap(torch.vmap(F.dropout, randomness="different"), randomness="different")(torch.ones(3, 4, 100))
    assert len({row.numpy().tobytes() for row in nested.view(12, 100)}) == 12
    per_sample = torch.vmap(torch.func.grad(lambda x: F.dropout(x).sum()), randomness="different")(x)
    assert len({row.numpy().tobytes() for row in per_sample}) == 4


@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize("rng", [None, "torch"])
@pytest.mark.parametrize("size", [100, 10_000])
def test_checkpointing_recomputes_the_noise(use_reentrant, rng, size):
    drop = nd.Dropout(0.5, rng=rng)
    x = torch.randn(size, requires_grad=True)
    y = checkpoint(lambda x: drop(torch.sin(drop(x))), x, use_reentrant=use_reentrant)
    y.sum().backward()
    torch.testing.assert_close(x.grad != 0, y != 0)


def test_selective_checkpointing():
    from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

    drop, x = nd.Dropout(0.5), torch.randn(1000, requires_grad=True)
    for policy in (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_RECOMPUTE):
        contexts = lambda: create_selective_checkpoint_contexts(lambda *_, **__: policy)
        y = checkpoint(lambda x: drop(torch.sin(drop(x))), x, use_reentrant=False, context_fn=contexts)
        (gradient,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(gradient != 0, y != 0)


def test_autocast_leaves_the_type():
    with torch.autocast("cpu", torch.bfloat16):
        assert nd.Dropout()(torch.ones(3)).dtype == torch.float32
        y = nd.Dropout()(torch.nn.Linear(3, 3)(torch.ones(2, 3)))
        assert y.dtype == torch.bfloat16


def test_copies_draw_on():
    drop = nd.Dropout(0.5)
    copied = copy.deepcopy(drop)
    torch.manual_seed(1)
    first, second = drop(torch.ones(99)), copied(torch.ones(99))
    assert not torch.equal(first, second)


def test_fake_tensors_and_traces():
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    with FakeTensorMode():
        assert nd.Dropout()(torch.ones(5, 6)).shape == (5, 6)
    assert nd.Dropout()(torch.ones(5, 6, device="meta")).shape == (5, 6)
    traced = make_fx(lambda x: F.dropout(x))(torch.ones(300))
    assert not torch.equal(traced(torch.ones(300)), traced(torch.ones(300)))


def test_inference_mode_and_its_threads():
    def infer(results):
        with torch.inference_mode():
            results.append(F.dropout(torch.ones(300)))
        results.append(F.dropout(torch.ones(300)))

    results = []
    thread = threading.Thread(target=infer, args=(results,))
    thread.start()
    thread.join()
    assert len(results) == 2 and not torch.equal(*results)


def test_threads_draw_masks_of_their_own():
    masks = []

    def draw():
        for _ in range(200):
            masks.append(F.dropout(torch.ones(300, requires_grad=True)).detach().numpy().tobytes())

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(masks)) == 800


def test_a_forked_process_draws():
    """As the workers of a DataLoader do, also after threads were started. PyTorch's own threads would hang there."""
    code = """
import os, torch
from nn_dropout.torch import _op
x, y = torch.ones(1 << 20), torch.ones(1 << 20)
draw = _op.draw_of(_op.noise(_op.spec("dropout")), 5, x.shape, 0.5)
draw.apply("float32", x.data_ptr(), y.data_ptr(), 1 << 20, 2)
child = os.fork()
if child == 0:
    draw.apply("float32", x.data_ptr(), y.data_ptr(), 1 << 20, 2)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_more_than_32_bits_of_elements():
    """Where the last elements of a tensor that no memory here holds would be: one part in each of many."""
    whole = [1 << 20, 1 << 14]
    offset = [(1 << 20) - 1, 0]
    key = torch.tensor(5)
    args = (SPEC, 0.5, None, "forward", False, whole, offset)
    y = torch.ops.nn_dropout.noise(torch.ones(1, 1 << 14), key, *args)
    draw = nn_dropout._core.Draw.from_json(
        '{"mask": {"philox": {"seed": 5, "layer": 0, "step": 0, "p": 0.5}}, "effect": "dropout", '
        f'"index": {{"start": {(1 << 34) - (1 << 14)}, "axes": [[{1 << 14}, 1]]}}}}',
        [1 << 14],
    )
    kept = np.empty(1 << 14, dtype=bool)
    draw.kept(kept.ctypes.data)
    assert np.array_equal(y.numpy()[0] != 0, kept)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_nothing_leaks():
    """1e5 calls with their gradients on several threads, in little more memory than the first thousand took."""
    code = """
import resource, threading, torch
import nn_dropout.torch as nd
torch.set_num_threads(1)
drops = [nd.Dropout(0.5), nd.Dropout2d(0.5), nd.DropBlock2d(0.1, 3), nd.GaussianNoise(0.1)]
drops.append(nd.Dropout(0.5, rng="torch"))
def work(count):
    for i in range(count):
        for size in (4, 24):
            x = torch.ones(1, 3, size, size, requires_grad=True)
            drops[i % len(drops)](x).sum().backward()
work(1000)
threads = [threading.Thread(target=work, args=(12_500,)) for _ in range(4)]
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), resource.RLIM_INFINITY))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for thread in threads: thread.start()
for thread in threads: thread.join()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 20 << 10, f"{grown} KiB"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_errors_name_what_was_wrong():
    x = torch.ones(4)
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got 2"):
        _op.apply(x, SPEC, 2.0)
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        F.dropout(x.long(), 0.5)
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        F.dropout([1.0], 0.5)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        F.dropout(x[:1].expand(4), 0.5, inplace=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        F.dropout(torch.ones(1000, requires_grad=True), 0.5, inplace=True)
