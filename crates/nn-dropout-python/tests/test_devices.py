"""The noise on other devices is that of the CPU core, bit for bit.

The tests run twice: with PyTorch's operations, and in a process of its own with the Triton kernel, which Triton's
interpreter runs on the CPU. Its compiler needs no GPU either.
"""

import hashlib
import itertools
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nn_dropout import _core
from nn_dropout.torch import _philox
from torch.utils._python_dispatch import TorchDispatchMode

ROOT = Path(__file__).parents[3]
CASES = json.loads((ROOT / "test_vectors/vectors.json").read_text())
CASES = [case for case in CASES if case["mask"].keys() <= {"philox", "bits"}]
DTYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}
EFFECTS = ["dropout", "alpha", "drop-key", "gaussian-dropout", {"gaussian-noise": 0.3}, {"uniform-noise": 0.3}]

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
once = pytest.mark.skipif(IS_INTERPRETED, reason="runs in the other process")

if IS_INTERPRETED:
    import numpy as np
    import triton.language as tl
    import triton.runtime.interpreter
    from nn_dropout.torch import _triton

    execute = _triton.execute
    convert_float = triton.runtime.interpreter._convert_float

    def convert_rounded(input, from_type, to_type, rounding):
        """Compiled kernels round float32 to bfloat16, but the interpreter cuts the lower bits off."""
        if (from_type, to_type) != (tl.float32, tl.bfloat16):
            return convert_float(input, from_type, to_type, rounding)
        return torch.from_numpy(np.ascontiguousarray(input)).bfloat16().view(torch.int16).numpy().view(np.uint16)

    triton.runtime.interpreter._convert_float = convert_rounded
else:
    execute = _philox.execute


def draw_of(mask, start, axes, effect, shape) -> _core.Draw:
    index = {"start": start, "axes": axes}
    return _core.Draw.from_json(json.dumps({"mask": mask, "index": index, "effect": effect}), shape)


def philox(p=0.3):
    return {"philox": {"seed": 2**64 - 42, "layer": 3, "step": 2**32 - 9, "p": p}}


def held(count):
    return {"stored": {"bits": [37 * i % 256 for i in range((count + 7) // 8)], "count": count, "p": 0.3}}


def sharing(shape, own) -> list:
    """The axes of a map in which only these have bits of their own."""
    axes, bits = [], 1
    for axis in reversed(range(len(shape))):
        axes.insert(0, (shape[axis], bits if axis in own else 0))
        bits *= shape[axis] if axis in own else 1
    return axes


def numbers(shape, dtype) -> torch.Tensor:
    """Usual numbers and special ones."""
    count = math.prod(shape)
    x = (7 * torch.arange(count) % 509).double() / 37 - 6.5
    for i, special in enumerate([-0.0, math.nan, math.inf, -math.inf, 1e-7, -3e38]):
        x[5 + i :: 23] = special
    return x.to(dtype).view(shape)


def of_core(draw, x) -> torch.Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    draw.apply(str(x.dtype).removeprefix("torch."), x.data_ptr(), y.data_ptr(), x.numel(), 1)
    return y


def assert_same(y, expected):
    """Bit for bit, but for the bits of NaNs."""
    nan = expected.isnan()
    assert torch.equal(y.isnan(), nan)
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[y.element_size()]
    assert torch.equal(y[~nan].view(bits), expected[~nan].view(bits))


def check(draw, dtype):
    x = numbers(draw.shape, dtype)
    y = torch.empty_like(x)
    execute(x, y, draw)
    assert_same(y, of_core(draw, x))


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_vectors(case, monkeypatch):
    [(family, mask)] = case["mask"].items()
    if family == "philox":
        mask = {"philox": {**mask, "seed": int(mask["seed"])}}
    else:
        mask = {"stored": {"bits": list(bytes.fromhex(mask["hex"])), "count": mask["count"], "p": mask["p"]}}
    axes = [[int(size), int(stride)] for size, stride in case["index"]["axes"]]
    shape = [size for size, _ in axes]
    draw = draw_of(mask, int(case["index"]["start"]), axes, case["effect"], shape)
    x = (7 * torch.arange(math.prod(shape)) % 509).double() / 37 - 6.5
    if IS_INTERPRETED and len(x) > 10_000:
        # The interpreter takes as long for a small program as for a large one.
        monkeypatch.setattr(_triton, "_THREADS", 1 << 14)
    for name, dtype in DTYPES.items():
        input = x.to(dtype).view(shape)
        output = torch.empty_like(input)
        execute(input, output, draw)
        assert hashlib.sha256(output.flatten().view(torch.uint8).numpy()).hexdigest() == case["sha256"][name], name


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_lengths_and_starts(effect):
    dtypes = itertools.cycle(DTYPES.values())
    for count, start in itertools.product(range(71), range(10)):
        if IS_INTERPRETED and effect != "dropout" and count % 8 != start:
            continue  # It takes long.
        check(draw_of(philox(), start, [(count, 1)], effect, [count]), next(dtypes))


def test_edges():
    dtypes = itertools.cycle(DTYPES.values())
    for count in [127, 128, 129, 1023, 1024, 1025, 2047, 2049]:
        for start in [0, 1, 7, 8, 2**35 - 5, 2**64 - 1000, 2**64 - 3]:
            check(draw_of(philox(), start, [(count, 1)], "dropout", [count]), next(dtypes))
    for stride in [0, 2, 8, 2**40 + 1, 2**64 - 1, 2**64 - 8]:
        check(draw_of(philox(), 2000, [(200, stride)], "alpha", [200]), next(dtypes))
        check(draw_of(philox(), 2000, [(5, stride), (40, 1)], "alpha", [5, 40]), next(dtypes))


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_held_bits(dtype):
    for count, start in itertools.product([1, 8, 63, 1000], range(10)):
        check(draw_of(held(count + start), start, [(count, 1)], "dropout", [count]), dtype)
    for stride in [0, 2, 8, 2**64 - 1]:
        check(draw_of(held(2000), 300, [(200, stride)], "alpha", [200]), dtype)
        check(draw_of(held(2000), 300, [(5, stride), (40, 1)], "alpha", [5, 40]), dtype)


LAYOUTS = {
    "dense": lambda x: x.clone(),
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "channels last": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    "sliced": lambda x: torch.cat([x.new_zeros(1, *x.shape[1:]), x]).repeat_interleave(2, -1)[1:, ..., 1::2],
}


def draws(effect):
    """Draws for images, and types of elements."""
    dtypes = itertools.cycle(DTYPES.values())
    owns = [[0, 1, 2, 3], [0, 1], [0, 3], [1], [2, 3], [0], []]
    for shape, own in itertools.product([(2, 5, 8, 3), (3, 1, 4, 8)], owns):
        start = [0, 8, 11, 2**64 - 5][len(own) - 1]
        yield draw_of(philox(), start, sharing(shape, own), effect, shape), next(dtypes)


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_parts(effect, monkeypatch):
    monkeypatch.setattr(_philox, "_CHUNK", 50)
    if IS_INTERPRETED:
        monkeypatch.setattr(_triton, "_PART", 50)
    for draw, dtype in draws(effect):
        check(draw, dtype)


@pytest.mark.parametrize("effect", ["alpha"] if IS_INTERPRETED else EFFECTS, ids=str)
def test_layouts(effect):
    for draw, dtype in draws(effect):
        x = numbers(draw.shape, dtype)
        expected = of_core(draw, x)
        for of_input, of_output in itertools.product(LAYOUTS.values(), repeat=2):
            input, output = of_input(x), of_output(torch.zeros_like(x))
            execute(input, output, draw)
            assert_same(output, expected)
            assert_same(input, x)
        for layout in LAYOUTS.values():
            input = layout(x.clone())
            execute(input, input, draw)
            assert_same(input, expected)
        row = x[:1].expand(draw.shape)
        execute(row, output, draw)
        assert_same(output, of_core(draw, row))


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_small_and_certain(effect):
    dtypes = itertools.cycle(DTYPES.values())
    for p in [0.0, 1e-14, 0.5, 1.0]:
        check(draw_of(philox(p), 3, [], effect, []), next(dtypes))
        check(draw_of(philox(p), 3, [(1, 0)], effect, [1, 1]), next(dtypes))
        check(draw_of(philox(p), 3, [(0, 0)], effect, [0, 3]), next(dtypes))
        check(draw_of(philox(p), 3, [(40, 1)], effect, [5, 8]), next(dtypes))
        check(draw_of(philox(p), 3, [(40, 1)], effect, [5, 8]).gradient(), next(dtypes))


@once
def test_float64_is_for_float64():
    """Apple's GPUs do not have it."""

    class NoFloat64(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            assert not isinstance(result, torch.Tensor) or result.dtype != torch.float64, function
            return result

    for effect, dtype in itertools.product(EFFECTS, [torch.float32, torch.float16, torch.bfloat16]):
        x = torch.ones(100, dtype=dtype)
        _philox.table.cache_clear()
        with NoFloat64():
            execute(x, x, draw_of(philox(), 3, [(100, 1)], effect, [100]))


@once
def test_triton_interpreted():
    pytest.importorskip("triton", reason="there is no Triton here")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@once
def test_missing_triton(monkeypatch):
    monkeypatch.delitem(sys.modules, "nn_dropout.torch._triton", raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(RuntimeError, match="Cannot find a working triton installation"):
        import nn_dropout.torch._triton  # noqa: F401


@pytest.fixture(params=[80, 90, 100])
def compiled(request, monkeypatch):
    """A function that compiles the kernel as a launch on a GPU of this kind would."""
    triton = pytest.importorskip("triton", reason="there is no Triton here")
    from nn_dropout.torch import _triton
    from triton.backends.compiler import GPUTarget

    class Driver:
        def get_current_target(self):
            return GPUTarget("cuda", request.param, 32)

        def get_current_device(self):
            return request.param

        def get_current_stream(self, device):
            return 0

    class Kernel:
        def __getitem__(self, grid):
            return lambda *args, **options: kernels.append(noise.warmup(*args, grid=grid, **options))

    noise, kernels = _triton.noise, []
    monkeypatch.setattr(_triton, "noise", Kernel())
    monkeypatch.setattr(triton.runtime.driver, "_active", Driver())

    def compile(draw, dtype):
        x = torch.ones(draw.shape, dtype=dtype)
        _triton.execute(x, torch.empty_like(x), draw)
        return kernels[-1]

    return compile


@once
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_compiled(compiled, dtype, tmp_path):
    from triton import knobs

    kernel = compiled(draw_of(philox(), 0, [(4096, 1)], "dropout", [4096]), dtype)
    ptx = kernel.asm["ptx"]
    # Elements are loaded and stored sixteen bytes at a time.
    assert set(re.findall(r"(?:ld|st)\.global\S*?\.(v\d\.\w\d+|\w\d+)\b", ptx)) <= {"v4.b32", "v2.b64"}
    assert "ld.global" in ptx and "st.global" in ptx
    assert not re.search(r"\b(div|rem|fma)\.", ptx)
    # Nothing is spilled, and the registers are few enough for all threads that a processor can hold.
    cubin = tmp_path / "kernel.cubin"
    cubin.write_bytes(kernel.asm["cubin"])
    command = [knobs.nvidia.cuobjdump.path, "-res-usage", cubin]
    used = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    registers, stack, local = (int(re.search(rf"{what}:(\d+)", used)[1]) for what in ("REG", "STACK", "LOCAL"))
    assert (stack, local) == (0, 0)
    assert registers <= (48 if dtype == torch.float64 else 32)


@once
@pytest.mark.parametrize("compiled", [90], indirect=True)
@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_all_that_there_is_compiles(compiled, effect):
    maps = [
        (1, [(400, 1)]),
        (3, []),
        (0, [(5, 2**64 - 80), (80, 1)]),
        (0, [(5, 1), (80, 0)]),
        (7, [(4, 2**63 + 1), (4, 2**40), (25, 2)]),
    ]
    for start, axes in maps:
        kernel = compiled(draw_of(philox(), start, axes, effect, [size for size, _ in axes]), torch.bfloat16)
        assert not re.search(r"\b(div|rem)\.[us]64|\bfma\.rn\.f", kernel.asm["ptx"])
        # A mask that holds its bits has them for all elements.
        if isinstance(effect, str) and effect != "gaussian-dropout" and all(stride < 2**32 for _, stride in axes):
            assert compiled(draw_of(held(500), start, axes, effect, [size for size, _ in axes]), torch.bfloat16)
