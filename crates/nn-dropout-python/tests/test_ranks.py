"""The same noise on any number of ranks.

This file is also the script of the ranks: torchrun runs it once with 1, 2 and 4 processes, and each process makes all
checks. What one process draws is drawn by every rank for itself, without distributed tensors or parts, to compare with.
"""

from __future__ import annotations

import datetime
import faulthandler
import hashlib
import itertools
import json
import os
import pathlib
import subprocess
import sys
import threading
import traceback

import nn_dropout.torch as nd
import pytest
import torch
from nn_dropout.torch import _settings
from torch import nn

#: Nothing lives longer than this, in seconds.
LIMIT = 150

HAS_GLOO = torch.distributed.is_available() and torch.distributed.is_gloo_available()
if HAS_GLOO:
    import torch.distributed as dist
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
    from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
    from torch.distributed.tensor.debug import CommDebugMode
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        SequenceParallel,
        parallelize_module,
    )
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils.checkpoint import checkpoint

CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def same(a, b):
    """Whether tensors are the same to the bit."""
    assert a.shape == b.shape
    assert torch.equal(a.contiguous().view(torch.int32), b.contiguous().view(torch.int32))


def draw(layer, *inputs):
    torch.manual_seed(7)
    return layer(*inputs)


def tensors(*shape):
    """An input and a gradient."""
    torch.manual_seed(1)
    return torch.randn(shape), torch.randn(shape)


def compare(layer, shape, mesh, placements, prepare=lambda x: x):
    """Compare a layer on a distributed tensor with the layer on the whole: output, placement and gradient."""
    x, grad = tensors(*shape)
    whole = x.clone().requires_grad_()
    expected = draw(layer, prepare(whole))
    expected.backward(grad.view(expected.shape))
    parts = distribute_tensor(x, mesh, placements).requires_grad_()
    before = prepare(parts)
    output = draw(layer, before)
    assert output.placements == before.placements
    same(output.full_tensor(), expected)
    # A gradient that lies otherwise than the output.
    output.backward(distribute_tensor(grad.view(expected.shape), mesh, [Replicate()] * mesh.ndim))
    same(parts.grad.full_tensor(), whole.grad)


IMAGES = (3, 5, 7, 6)
LAYERS = [
    nd.Dropout(0.5),
    nd.Dropout2d(0.5),
    nd.Dropout3d(0.5),
    nd.AlphaDropout(0.5),
    nd.FeatureAlphaDropout(0.5),
    nd.DropPath(0.5),
    nd.DropPath(0.5, mode="batch"),
    nd.LockedDropout(0.5),
    nd.LockedDropout(0.5, axis=(0, 2)),
    nd.GaussianDropout(0.5),
    nd.GaussianNoise(0.1),
    nd.NeftuneNoise(5.0),
    nd.TokenDropout(0.5),
    nd.DropConnect(0.5),
    nd.DropKey(0.5),
    nd.DropBlock2d(0.3, 3),
    nd.DropBlock2d(0.3, 3, clipping=True, coupled_channels=True),
]


def line():
    return init_device_mesh("cpu", (dist.get_world_size(),))


def plane():
    world = dist.get_world_size()
    return init_device_mesh("cpu", (min(world, 2), max(world // 2, 1)), mesh_dim_names=("dp", "tp"))


@check
def layers_of_every_placement():
    # 3 and 5 cut by 4 leave uneven and empty parts.
    for layer in LAYERS:
        for placement in [*map(Shard, range(4)), Replicate()]:
            compare(layer, IMAGES, line(), [placement])


@check
def placements_in_two_dimensions():
    for placements in itertools.product([*map(Shard, range(4)), Replicate()], repeat=2):
        for layer in (LAYERS[0], LAYERS[-1]):
            compare(layer, IMAGES, plane(), placements)


@check
def empty_and_small_tensors():
    for shape in [(0, 4), (1, 4), (4, 0), (1,), (5,)]:
        compare(nd.Dropout(0.5), shape, line(), [Shard(0)])
    x = distribute_tensor(torch.tensor(1.0), line(), [Replicate()])
    same(draw(nd.Dropout(0.5), x).full_tensor(), draw(nd.Dropout(0.5), torch.tensor(1.0)))


@check
def modules_of_torch_after_replace():
    for layer in [nn.Dropout(0.5), nn.Dropout2d(0.5), nn.AlphaDropout(0.5)]:
        layer = nd.replace(nn.Sequential(nn.Identity(), layer))
        compare(layer, IMAGES, line(), [Shard(1)])


@check
def in_place():
    x, grad = tensors(5, 6)
    whole = x.clone().requires_grad_()
    expected = draw(nd.Dropout(0.5), whole)
    expected.backward(grad)
    for placement in [Shard(0), Shard(1), Replicate()]:
        parts = distribute_tensor(x, line(), [placement]).requires_grad_()
        overwritten = parts.clone()
        memory = overwritten.to_local().data_ptr()
        assert draw(nd.Dropout(0.5, inplace=True), overwritten) is overwritten
        assert overwritten.to_local().data_ptr() == memory
        same(overwritten.full_tensor(), expected)
        overwritten.backward(distribute_tensor(grad, line(), [placement]))
        # A zero may have another sign.
        assert torch.equal(parts.grad.full_tensor(), whole.grad)


@check
def sums_still_to_be_made():
    part = torch.randn(5, 6)
    sums = DTensor.from_local(part, line(), [Partial()])
    output = draw(nd.Dropout(0.5), sums)
    assert output.placements == (Replicate(),)
    same(output.full_tensor(), draw(nd.Dropout(0.5), sums.full_tensor()))
    with pytest.raises(RuntimeError, match="partial sums"):
        nd.Dropout(0.5, inplace=True)(sums)


@check
def not_contiguous():
    x, _ = tensors(4, 6)
    parts = distribute_tensor(x, line(), [Shard(0)])
    same(draw(nd.Dropout(0.5), parts.t()).full_tensor(), draw(nd.Dropout(0.5), x.t()))
    inplace = nd.Dropout(0.5, inplace=True)
    same(draw(inplace, parts.clone().t()).full_tensor(), draw(inplace, x.clone().t()))
    image = torch.randn(4, 3, 5, 6).to(memory_format=torch.channels_last)
    parts = distribute_tensor(image, line(), [Shard(0)])
    same(draw(nd.Dropout2d(0.5), parts).full_tensor(), draw(nd.Dropout2d(0.5), image))


@check
def flattened_axes():
    # Of a flattened axis each rank has pieces, not one block.
    flatten = lambda x: x.view(-1, x.shape[-1])
    for layer in (nd.Dropout(0.5), nd.GaussianNoise(0.1), nd.DropPath(0.5)):
        compare(layer, (3, 8, 5), line(), [Shard(1)], flatten)
        compare(layer, (4, 8, 5), plane(), [Shard(0), Shard(1)], flatten)


@check
def ranks_do_not_talk():
    x, grad = (distribute_tensor(x, line(), [Shard(0)]) for x in tensors(8, 6))
    with CommDebugMode() as talk:
        nd.Dropout(0.5)(x.requires_grad_()).backward(grad)
    assert talk.get_total_counts() == 0


@check
def awaited():
    x, _ = tensors(8, 6)
    parts = distribute_tensor(x, line(), [Shard(0)])
    gathered = parts.redistribute(placements=[Replicate()], async_op=True)
    same(draw(nd.Dropout(0.5), gathered).full_tensor(), draw(nd.Dropout(0.5), x))
    gathered = parts.redistribute(placements=[Replicate()], async_op=True).to_local()
    same(draw(nd.Dropout(0.5), gathered), draw(nd.Dropout(0.5), x))


@check
def some_of_the_ranks():
    mesh = DeviceMesh("cpu", [0])
    x, _ = tensors(5, 6)
    output = draw(nd.Dropout(0.5), distribute_tensor(x, mesh, [Shard(0)]))
    if dist.get_rank() == 0:
        same(output.to_local(), draw(nd.Dropout(0.5), x))
    else:
        assert output.to_local().numel() == 0


@check
def zoneout_of_distributed_states():
    new, previous = tensors(5, 6)
    zoneout = nd.Zoneout(0.5)
    expected = draw(zoneout, new, previous)
    output = draw(zoneout, *(distribute_tensor(x, line(), [Shard(0)]) for x in (new, previous)))
    same(output.full_tensor(), expected)


@check
def a_scheduled_amount():
    model = nn.Sequential(nd.Dropout(0.8))
    nd.Scheduler(model, lambda step: 0.5)
    compare(model, (5, 6), line(), [Shard(0)])


@check
def types_of_numbers():
    for dtype in (torch.float64, torch.bfloat16, torch.float16, torch.complex64):
        x = torch.randn(5, 6).to(dtype)
        output = draw(nd.Dropout(0.5), distribute_tensor(x, line(), [Shard(1)])).full_tensor()
        assert output.dtype == dtype and torch.equal(output, draw(nd.Dropout(0.5), x))
    with pytest.raises(RuntimeError, match="can't be cast"):
        nd.Dropout(0.5)(distribute_tensor(torch.ones(4, dtype=torch.int64), line(), [Shard(0)]))


@check
def gradients_of_gradients():
    x, _ = tensors(5, 6)
    grads = []
    for input in (x, distribute_tensor(x, line(), [Shard(0)])):
        input = input.requires_grad_()
        squares = draw(nd.Dropout(0.5), input).square().sum()
        torch.autograd.grad(squares, input, create_graph=True)[0].sum().backward()
        grads.append(input.grad)
    same(grads[1].full_tensor(), grads[0])
    with torch.inference_mode():
        same(draw(nd.Dropout(0.5), distribute_tensor(x, line(), [Shard(0)])).full_tensor(), draw(nd.Dropout(0.5), x))


@check
def attention():
    query = torch.randn(4, 4, 5, 8)
    attend = lambda x: nd.functional.scaled_dot_product_attention(x, x, x, dropout_p=0.3)
    expected = draw(attend, query)
    for placement in (Shard(0), Shard(1), Replicate()):
        output = draw(attend, distribute_tensor(query, line(), [placement])).full_tensor()
        torch.testing.assert_close(output, expected)


@check
def compiled():
    layers = nn.Sequential(nd.Dropout(0.5), nd.GaussianNoise(0.1))
    fast = torch.compile(layers, backend="aot_eager")
    x, grad = tensors(5, 6)
    whole = x.clone().requires_grad_()
    expected = draw(layers, whole)
    expected.backward(grad)
    for placement in [Shard(0), Shard(1), Replicate()]:
        parts = distribute_tensor(x, line(), [placement]).requires_grad_()
        output = draw(fast, parts)
        same(output.full_tensor(), expected)
        output.backward(distribute_tensor(grad, line(), [placement]))
        same(parts.grad.full_tensor(), whole.grad)
    # A part is noticed.
    rank, world = dist.get_rank(), dist.get_world_size()
    x = torch.ones(4 * world, 3)
    expected = draw(layers, x)
    same(draw(fast, x), expected)
    with nd.part(index=rank, of=world):
        same(draw(fast, x[:4]), expected.chunk(world)[rank])


@check
def compiled_for_any_size():
    drop = nd.Dropout(0.5)
    fast = torch.compile(drop, backend="aot_eager", dynamic=True)
    for size in (5, 8, 7):
        x, grad = tensors(size, 6)
        whole = x.clone().requires_grad_()
        expected = draw(drop, whole)
        expected.backward(grad)
        parts = distribute_tensor(x, line(), [Shard(0)]).requires_grad_()
        output = draw(fast, parts)
        same(output.full_tensor(), expected)
        output.backward(distribute_tensor(grad, line(), [Shard(0)]))
        same(parts.grad.full_tensor(), whole.grad)


@check
def compiled_transformers():
    rank, world = dist.get_rank(), dist.get_world_size()

    def model():
        torch.manual_seed(3)
        return nd.replace(Transformer(layers=1))

    fast = lambda model: torch.compile(model, backend="aot_eager", fullgraph=True)
    expected, _ = train(model())
    with nd.part(index=rank, of=world):
        losses, _ = train(DistributedDataParallel(fast(model())), rank=rank, of=world)
    torch.testing.assert_close(gathered(losses[None]).mean(0), expected, rtol=1e-5, atol=0)
    losses, _ = train(fast(tensor_parallel(model(), line())), lambda x: distribute_tensor(x, line(), [Shard(1)]))
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=0)


@check
def parts_of_every_layer():
    rank, world = dist.get_rank(), dist.get_world_size()
    x, grad = tensors(4, 8, 12, 4)
    for layer, dim in itertools.product(LAYERS, range(4)):
        if isinstance(layer, nd.DropConnect):
            # A weight is not cut.
            continue
        whole = x.clone().requires_grad_()
        expected = draw(layer, whole)
        expected.backward(grad)
        part = x.chunk(world, dim)[rank].clone().requires_grad_()
        with nd.part(dim=dim, index=rank, of=world):
            output = draw(layer, part)
        same(output, expected.chunk(world, dim)[rank])
        # The gradient is that of the part also after the context.
        output.backward(grad.chunk(world, dim)[rank])
        same(part.grad, whole.grad.chunk(world, dim)[rank])


@check
def parts_of_distributed_tensors():
    mesh = plane()
    rank, world, tp = mesh.get_local_rank("dp"), mesh["dp"].size(), mesh["tp"]
    x, _ = tensors(6, 5, 7)
    for layer in (nd.Dropout(0.5), nd.DropPath(0.5), nd.LockedDropout(0.5)):
        expected = draw(layer, x).chunk(world)[rank]
        for placement in [*map(Shard, range(3)), Replicate()]:
            rows = distribute_tensor(x.chunk(world)[rank].contiguous(), tp, [placement])
            with nd.part(index=rank, of=world):
                same(draw(layer, rows).full_tensor(), expected)


# A small transformer, whose dropouts are modules so that hooks see them. Nothing else in it makes zeros.


class Block(nn.Module):
    def __init__(self, width, heads, p):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.drop_weights, self.drop_o, self.drop_up, self.drop_down = (nn.Dropout(p) for _ in range(4))

    def forward(self, x):
        y = self.norm1(x)
        q, k, v = (f(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-2, -1)).softmax(-1)
        y = (self.drop_weights(weights) @ v).transpose(1, 2).flatten(2)
        x = x + self.drop_o(self.o(y))
        y = self.drop_up(nn.functional.gelu(self.up(self.norm2(x))))
        return x + self.drop_down(self.down(y))


class Transformer(nn.Module):
    def __init__(self, width=16, heads=4, layers=2, p=0.3):
        super().__init__()
        self.drop = nn.Dropout(p)
        self.blocks = nn.ModuleList(Block(width, heads, p) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 4)
        self.call = lambda block, x: block(x)

    def forward(self, x):
        x = self.drop(x)
        for block in self.blocks:
            x = self.call(block, x)
        return self.head(self.norm(x))


def transformer():
    """A transformer and the masks that its dropouts draw from now on, those of distributed tensors as wholes."""
    torch.manual_seed(3)
    model = nd.replace(Transformer())
    masks = []
    whole = lambda x: x.full_tensor() if isinstance(x, DTensor) else x
    for module in model.modules():
        if isinstance(module, nd.Dropout):
            module.register_forward_hook(lambda module, inputs, output: masks.append(whole(output.detach()) == 0))
    return model, masks


BATCH, LENGTH, WIDTH, STEPS = 8, 6, 16, 3


def train(model, prepare=lambda x: x, rank=0, of=1):
    """Train for some steps on some rows of the batch. Returns the losses and the gradients of the last step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = torch.Generator().manual_seed(4)
    torch.manual_seed(5)
    losses = []
    for _ in range(STEPS):
        x = torch.randn(BATCH, LENGTH, WIDTH, generator=data).chunk(of)[rank]
        target = torch.randn(BATCH, LENGTH, 4, generator=data).chunk(of)[rank]
        output = model(prepare(x))
        loss = (output - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses), [parameter.grad for parameter in model.parameters()]


def one_process():
    model, masks = transformer()
    losses, grads = train(model)
    return losses, grads, masks


def gathered(x, group=None):
    """The parts of all ranks, one after the other."""
    parts = [torch.empty_like(x) for _ in range(dist.get_world_size(group))]
    dist.all_gather(parts, x.contiguous(), group)
    return torch.cat(parts)


def as_one_process(losses, masks, group=None):
    """Compare with one process, and return a digest of the masks."""
    expected_losses, _, expected_masks = one_process()
    assert len(masks) == len(expected_masks) == STEPS * 9
    digest = hashlib.sha256()
    for mask, expected in zip(masks, expected_masks):
        mask = gathered(mask.to(torch.uint8), group).bool()
        assert 0.2 < expected.float().mean() < 0.4
        assert torch.equal(mask, expected)
        digest.update(mask.numpy().tobytes())
    losses = gathered(losses[None], group).mean(0)
    torch.testing.assert_close(losses, expected_losses, rtol=1e-5, atol=0)
    return digest.hexdigest()


@check
def data_parallel():
    rank, world = dist.get_rank(), dist.get_world_size()
    model, masks = transformer()
    with nd.part(index=rank, of=world):
        losses, grads = train(DistributedDataParallel(model), rank=rank, of=world)
    for grad, expected in zip(grads, one_process()[1]):
        torch.testing.assert_close(grad, expected, rtol=1e-4, atol=1e-6)
    return as_one_process(losses, masks)


@check
def fully_sharded():
    rank, world = dist.get_rank(), dist.get_world_size()
    model, masks = transformer()
    for block in model.blocks:
        fully_shard(block, mesh=line())
    fully_shard(model, mesh=line())
    with nd.part(index=rank, of=world):
        losses, _ = train(model, rank=rank, of=world)
    return as_one_process(losses, masks)


def tensor_parallel(model, mesh):
    """Let the dropouts of a transformer see distributed tensors: parts of sequences, heads and hidden units."""
    inner = dict(use_local_output=False)
    plan = {"norm": SequenceParallel(), "head": ColwiseParallel(input_layouts=Shard(1), output_layouts=Replicate())}
    for i in range(len(model.blocks)):
        for name in ("norm1", "norm2", "drop_o", "drop_down"):
            plan[f"blocks.{i}.{name}"] = SequenceParallel()
        for name in ("q", "k", "v", "up"):
            plan[f"blocks.{i}.{name}"] = ColwiseParallel(input_layouts=Shard(1), **inner)
        for name in ("o", "down"):
            plan[f"blocks.{i}.{name}"] = RowwiseParallel(output_layouts=Shard(1), **inner)
    return parallelize_module(model, mesh, plan)


@check
def tensors_parallel():
    mesh = line()
    model, masks = transformer()
    tensor_parallel(model, mesh)
    losses, _ = train(model, lambda x: distribute_tensor(x, mesh, [Shard(1)]))
    alone = dist.new_subgroups(1)[0]
    return as_one_process(losses, masks, alone)


@check
def data_and_tensors_parallel():
    mesh = plane()
    rank, world = mesh.get_local_rank("dp"), mesh["dp"].size()
    model, masks = transformer()
    tensor_parallel(model, mesh["tp"])
    for block in model.blocks:
        fully_shard(block, mesh=mesh["dp"])
    fully_shard(model, mesh=mesh["dp"])
    with nd.part(index=rank, of=world):
        losses, _ = train(model, lambda x: distribute_tensor(x, mesh["tp"], [Shard(1)]), rank, world)
    return as_one_process(losses, masks, mesh.get_group("dp"))


@check
def local_shards():
    # Without distributed tensors a part says where a shard of hidden units is.
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(3)
    up, down, drop = nn.Linear(16, 32), nn.Linear(32, 16), nd.Dropout(0.3)
    mlp = nn.Sequential(up, nn.GELU(), drop, down)
    masks = []
    drop.register_forward_hook(lambda module, inputs, output: masks.append(output.detach() == 0))
    x, _ = tensors(4, 6, 16)
    expected = draw(mlp, x)
    parallelize_module(mlp, line(), {"0": ColwiseParallel(), "3": RowwiseParallel()})
    with nd.part(dim=2, index=rank, of=world):
        output = draw(mlp, x)
    assert torch.equal(masks[1], masks[0].chunk(world, 2)[rank])
    torch.testing.assert_close(output, expected)


@check
def recomputed():
    rank, world = dist.get_rank(), dist.get_world_size()

    def run(change):
        model, masks = transformer()
        change(model)
        with nd.part(index=rank, of=world):
            # Reentrant checkpoints want inputs with gradients.
            return train(DistributedDataParallel(model, static_graph=True), lambda x: x.requires_grad_(), rank, world)

    def by_call(reentrant):
        def change(model):
            model.call = lambda block, x: checkpoint(block, x, use_reentrant=reentrant)

        return change

    def by_wrapper(model):
        for i, block in enumerate(model.blocks):
            model.blocks[i] = checkpoint_wrapper(block)

    losses, grads = run(lambda model: None)
    for change in (by_call(False), by_call(True), by_wrapper):
        again, grads_again = run(change)
        same(again, losses)
        for a, b in zip(grads_again, grads):
            same(a, b)


@check
def encoder_of_torch():
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(3)
    model = nd.replace(nn.TransformerEncoderLayer(16, 4, 32, dropout=0.3, batch_first=True))
    x, _ = tensors(8, 6, 16)
    with nd.patch():
        expected = draw(model, x).chunk(world)[rank]
        with nd.part(index=rank, of=world):
            output = draw(DistributedDataParallel(model), x.chunk(world)[rank])
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-6)


def work(folder):
    """Make all checks on this rank, and write down how they went, up to the first that fails."""
    faulthandler.dump_traceback_later(LIMIT - 30, exit=True)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=30))
    results = {}
    file = pathlib.Path(folder, f"{dist.get_rank()}.json")
    for name, function in CHECKS.items():
        try:
            results[name] = {"digest": function()}
        except Exception:
            results[name] = {"error": traceback.format_exc()}
        file.write_text(json.dumps(results))
        if "error" in results[name]:
            # The others may wait for this rank.
            os._exit(1)
    dist.barrier()
    dist.destroy_process_group()


WORLDS = (1, 2, 4)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Per number of ranks what its ranks say, and what they printed."""
    if not HAS_GLOO:
        pytest.skip("PyTorch is built without torch.distributed or gloo")
    done = {}

    def run(world):
        if world not in done:
            folder = tmp_path_factory.mktemp(f"ranks{world}")
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
            package = str(pathlib.Path(nd.__file__).parents[2])
            path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
            env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
            launcher = subprocess.Popen(
                [*command, __file__, str(folder)], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            try:
                printed, _ = launcher.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                # On SIGTERM it ends its ranks.
                launcher.terminate()
                printed, _ = launcher.communicate(timeout=60)
            results = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
            done[world] = results, printed
        return done[world]

    return run


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("world", WORLDS)
def test_ranks(runs, world, name):
    results, printed = runs(world)
    errors = [result[name]["error"] for result in results if "error" in result.get(name, {})]
    assert not errors, errors[0]
    if any("error" in check for result in results for check in result.values()):
        pytest.skip("an earlier check failed")
    assert len(results) == world and all(name in result for result in results), printed
    # What all ranks together draw does not depend on how many they are.
    assert {result[name]["digest"] for result in results} == {runs(WORLDS[0])[0][0][name]["digest"]}


@pytest.fixture
def no_part():
    yield
    assert _settings.part is None
    _settings.part = None


@pytest.mark.parametrize(
    "wrong", [dict(index=2, of=2), dict(index=-1, of=2), dict(index=0, of=0), dict(dim=-1, index=0, of=2)]
)
def test_there_is_no_such_part(no_part, wrong):
    with pytest.raises(ValueError, match="a part has dim >= 0 and 0 <= index < of, but got"):
        nd.part(**wrong)


@pytest.mark.parametrize("wrong", [dict(index=0.5, of=2), dict(index=0, of="2"), dict(dim=None, index=0, of=2)])
def test_a_part_is_said_in_integers(no_part, wrong):
    with pytest.raises(TypeError):
        nd.part(**wrong)


def row(index):
    """Row `index` of the mask of four rows."""
    return draw(nd.Dropout(0.5), torch.ones(4, 8))[index : index + 1]


def test_parts_hold_until_their_contexts_end(no_part):
    rows = [row(i) for i in range(4)]
    drawn = lambda: draw(nd.Dropout(0.5), torch.ones(1, 8))
    with nd.part(index=1, of=4) as nothing:
        assert nothing is None
        same(drawn(), rows[1])
        # The inner one holds instead of the outer one, and one of one part is a whole.
        with nd.part(index=3, of=4):
            same(drawn(), rows[3])
            with nd.part(index=0, of=1):
                same(drawn(), rows[0])
            same(drawn(), rows[3])
        same(drawn(), rows[1])
        with pytest.raises(ZeroDivisionError), nd.part(index=2, of=4):
            same(drawn(), rows[2])
            1 / 0
        with pytest.raises(ValueError):
            nd.part(index=4, of=4)
        same(drawn(), rows[1])
    same(drawn(), rows[0])
    assert _settings.part is None


def test_a_part_is_entered_as_often_as_one_likes(no_part):
    rows = [row(i) for i in range(4)]
    drawn = lambda: draw(nd.Dropout(0.5), torch.ones(1, 8))
    part = nd.part(index=2, of=4)
    for _ in range(2):
        with part, part:
            same(drawn(), rows[2])
        same(drawn(), rows[0])


def test_a_part_holds_from_the_call_on(no_part):
    expected = row(3)
    nd.part(index=3, of=4)
    same(draw(nd.Dropout(0.5), torch.ones(1, 8)), expected)
    nd.part(index=0, of=1)


def test_tensors_without_the_axis_are_wholes(no_part):
    expected = draw(nd.Dropout(0.5), torch.ones(8))
    with nd.part(dim=1, index=1, of=2):
        same(draw(nd.Dropout(0.5), torch.ones(8)), expected)


class Weights(nn.Module):
    """What drops weights and layers, not elements of the batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layer = nd.LayerDrop(nn.Linear(4, 4), 0.5)
        self.weight = nd.WeightDrop(nn.Linear(4, 4), 0.5, ("weight",))
        self.words = nd.EmbeddingDropout(nn.Embedding(8, 4), 0.5)
        self.recurrent = nd.WeightDrop(nn.LSTM(4, 4, batch_first=True), 0.5)

    def forward(self, name, x):
        output = getattr(self, name)(x)
        return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("name", ["layer", "weight", "words", "recurrent"])
def test_weights_are_wholes(no_part, name):
    model, x = Weights(), torch.randn(4, 3, 4)
    if name == "words":
        x = torch.arange(8).view(4, 2)
    expected = draw(model, name, x)
    with nd.part(index=1, of=2):
        torch.testing.assert_close(draw(model, name, x[2:]), expected[2:])


def test_the_backward_of_a_part_needs_no_context(no_part):
    x = torch.ones(1000, requires_grad=True)
    with nd.part(index=1, of=2):
        output = nd.Dropout(0.5)(x)
    output.sum().backward()
    same(x.grad, output.detach())


def test_predictions_of_parts(no_part):
    torch.manual_seed(1)
    model, x = nn.Sequential(nd.Dropout(0.5), nn.Linear(8, 3)), torch.randn(4, 8)
    expected = nd.monte_carlo(model, x, 8).mean
    with nd.part(index=1, of=2):
        torch.testing.assert_close(nd.monte_carlo(model, x[2:], 8).mean, expected[2:])


@pytest.mark.parametrize("size", [64, 5000])
def test_threads(size):
    """Threads call the same modules at once, as nn.DataParallel's do."""
    layers = [nd.Dropout(0.5), nd.Dropout(0.5, inplace=True), nd.GaussianNoise(0.1), nd.DropPath(0.5)]
    masks, wrong = [], []

    def run():
        try:
            for _ in range(30):
                for layer in layers:
                    x = torch.ones(8, size // 8, requires_grad=True)
                    output = layer(x.clone())
                    output.sum().backward()
                    if isinstance(layer, nd.Dropout):
                        assert set(output.detach().unique().tolist()) <= {0.0, 2.0}
                        same(x.grad, output.detach())
                        masks.append(output.detach().numpy().tobytes())
                    elif isinstance(layer, nd.GaussianNoise):
                        same(x.grad, torch.ones_like(x))
                        assert 0 < (output.detach() - 1).abs().max() < 1
                    else:
                        # Where the gradient is 0 something was dropped.
                        assert output.detach()[x.grad == 0].unique().numel() <= 1
        except BaseException:
            wrong.append(traceback.format_exc())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong, wrong[0]
    # No two calls have drawn the same.
    assert len(masks) == len(set(masks)) == 4 * 30 * 2


if __name__ == "__main__":
    work(sys.argv[1])
