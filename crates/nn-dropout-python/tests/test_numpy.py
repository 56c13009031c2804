"""Dropout of NumPy's arrays, and the cases that every language has to give alike."""

import hashlib
import json
from pathlib import Path

import ml_dtypes
import nn_dropout
import numpy as np
import pytest
from nn_dropout._core import Draw, Noise

CASES = json.loads((Path(__file__).parents[3] / "test_vectors/vectors.json").read_text())
TYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
AMOUNTS = {"gaussian-noise": "stddev", "neftune-noise": "alpha"}


def drawn(case):
    """The draw of a case, and the sizes of its axes."""
    [(family, mask)] = case["mask"].items()
    if family == "bits":
        family, mask = "stored", {**mask, "bits": list(bytes.fromhex(mask["hex"]))}
        del mask["hex"]
    elif "seed" in mask:
        mask = {**mask, "seed": int(mask["seed"])}
    axes = [[int(size), int(stride)] for size, stride in case["index"]["axes"]]
    index = {"start": int(case["index"]["start"]), "axes": axes}
    shape = [size for size, _ in axes]
    return Draw.from_json(json.dumps({"mask": {family: mask}, "index": index, "effect": case["effect"]}), shape), shape


def sha256(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def assert_is(draw, shape, case):
    """Checks what the draw does against the hashes of the case."""
    count = int(np.prod(shape))
    if "kept" in case["sha256"]:
        kept = np.empty(count, dtype=bool)
        draw.kept(kept.ctypes.data)
        assert sha256(np.packbits(kept, bitorder="little")) == case["sha256"]["kept"]
    for name, dtype in TYPES.items():
        x = ((7 * np.arange(count)) % 509 / 37 - 6.5).astype(dtype)
        y = np.empty_like(x)
        draw.apply(np.dtype(dtype).name, x.ctypes.data, y.ctypes.data, x.size, 2)
        assert sha256(y) == case["sha256"][name], name


def test_cases():
    # PyTorch's masks are drawn by its generator: see test_torch_rng.py.
    cases = [case for case in CASES if "torch" not in case["mask"]]
    assert len(cases) > 300
    for case in cases:
        assert_is(*drawn(case), case)


def test_layers_draw_the_cases():
    cases = [case for case in CASES if "config" in case]
    assert len(cases) > 35
    for case in cases:
        config, shape = dict(case["config"]), case["shape"]
        amount = AMOUNTS.get(config["kind"], "p")
        p, config[amount] = config[amount], 0
        seed = int(case["mask"].get("philox", {"seed": 7})["seed"])
        draw = Noise(json.dumps(config)).draw(seed, shape, p, case["mode"] == "monte-carlo")
        expected, _ = drawn(case)
        assert draw.to_json() == expected.to_json(), config
        assert_is(draw, shape, case)


def test_mask():
    kept = nn_dropout.mask((100, 200), 0.3, seed=7)
    assert kept.shape == (100, 200) and kept.dtype == bool and abs(kept.mean() - 0.7) < 0.02
    assert np.array_equal(kept, nn_dropout.mask((100, 200), 0.3, seed=7))
    for other in ({"seed": 8}, {"seed": 7, "layer": 1}, {"seed": 7, "step": 1}):
        assert not np.array_equal(kept, nn_dropout.mask((100, 200), 0.3, **other))
    assert nn_dropout.mask(5, 0, seed=0).all() and not nn_dropout.mask(5, 1, seed=0).any()
    assert nn_dropout.mask((), 0.5, seed=0).shape == () and nn_dropout.mask((0, 3), 0.5, seed=0).shape == (0, 3)
    assert nn_dropout.mask(9, 0.5, seed=2**64 - 1, layer=2**32 - 1, step=2**32 - 1).shape == (9,)


@pytest.mark.parametrize("dtype", TYPES.values())
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (7,), (40, 300), (3, 5, 7), (200, 1000)])
def test_dropout_is_the_mask_and_the_scale(dtype, shape):
    x = (np.random.default_rng(0).standard_normal(shape) + 10).astype(dtype)
    x = np.asarray(x)
    y = nn_dropout.dropout(x, 0.25, seed=3, layer=1, step=2)
    kept = nn_dropout.mask(shape, 0.25, seed=3, layer=1, step=2)
    assert y.shape == x.shape and y.dtype == x.dtype and isinstance(y, np.ndarray)
    expected = np.where(kept, x.astype(np.float64) / 0.75, 0)
    tolerance = 2 * float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(y.astype(np.float64), expected, rtol=tolerance)
    assert np.array_equal(nn_dropout.dropout(x, 0, seed=3), x)


@pytest.mark.parametrize("dtype", TYPES.values())
def test_same_elements_whatever_the_memory(dtype):
    x = np.random.default_rng(0).standard_normal((40, 60)).astype(dtype)
    expected = nn_dropout.dropout(x, 0.5, seed=1)
    double = np.repeat(np.repeat(x, 2, 0), 3, 1)
    record = np.zeros(x.shape, dtype=[("byte", np.int8), ("x", dtype)])
    record["x"] = x
    misaligned = record["x"]
    layouts = [
        np.asfortranarray(x),
        double[::2, ::3],
        x[::-1].copy()[::-1],
        x[:, ::-1].copy()[:, ::-1],
        misaligned,
        np.broadcast_to(x, (1, *x.shape))[0],
    ]
    if dtype is not ml_dtypes.bfloat16:
        layouts.append(x.astype(np.dtype(dtype).newbyteorder()))
    readonly = x.copy()
    readonly.flags.writeable = False
    for same in [*layouts, readonly, np.ma.masked_array(x)]:
        assert np.array_equal(np.asarray(same), x)
        before = np.array(same)
        assert np.array_equal(nn_dropout.dropout(same, 0.5, seed=1), expected)
        assert np.array_equal(np.asarray(same), before)
    for out in layouts[:5] + layouts[6:]:
        assert nn_dropout.dropout(out, 0.5, seed=1, out=out) is out
        assert np.array_equal(out, expected)


def test_expanded_arrays():
    x = np.broadcast_to(np.float32([1, 2, 3]), (500, 3))
    y = nn_dropout.dropout(x, 0.5, seed=1)
    assert np.array_equal(y, nn_dropout.dropout(np.ascontiguousarray(x), 0.5, seed=1))


def test_out():
    memory = np.arange(1, 1001, dtype=np.float32)
    x = memory[:900].copy()
    expected = nn_dropout.dropout(x, 0.5, seed=5)
    # It may share memory with the array.
    out = memory[100:]
    assert nn_dropout.dropout(memory[:900], 0.5, seed=5, out=out) is out
    assert np.array_equal(out, expected)
    memory = np.arange(1, 901, dtype=np.float32)
    nn_dropout.dropout(memory, 0.5, seed=5, out=memory[::-1])
    assert np.array_equal(memory[::-1], expected)
    out = np.empty((30, 30), dtype=np.float32).T
    assert nn_dropout.dropout(x.reshape(30, 30), 0.5, seed=5, out=out) is out
    assert np.array_equal(out, expected.reshape(30, 30))
    out = np.zeros(900, dtype=np.float32)
    assert np.array_equal(nn_dropout.dropout(x, 0, seed=5, out=out), x)


def test_errors():
    x = np.ones((3, 4), dtype=np.float32)
    with pytest.raises(TypeError, match="^elements have to be one of float16, .*, but got int64$"):
        nn_dropout.dropout(np.ones(3, dtype=np.int64), 0.5, seed=0)
    for p in (-0.1, 1.5, float("nan")):
        for call in (lambda: nn_dropout.dropout(x, p, seed=0), lambda: nn_dropout.mask(3, p, seed=0)):
            with pytest.raises(ValueError, match="^dropout probability has to be between 0 and 1, but got "):
                call()
    for number in ({"seed": -1}, {"seed": 2**64}, {"seed": 0, "layer": 2**32}, {"seed": 0, "step": -1}):
        with pytest.raises(OverflowError):
            nn_dropout.mask(3, 0.5, **number)
    readonly = np.ones((3, 4), dtype=np.float32)
    readonly.flags.writeable = False
    for out in (np.ones((4, 3), dtype=np.float32), np.ones((3, 4)), readonly):
        with pytest.raises(ValueError, match=r"^out has to be (of shape \(3, 4\) and type float32|writeable)"):
            nn_dropout.dropout(x, 0.5, seed=0, out=out)
    with pytest.raises(TypeError):
        nn_dropout.dropout(x, 0.5)


def test_broken_draws():
    for json_, shape in (("{}", [3]), ("", []), (json.dumps({**CASES[0], "index": {"start": "0", "axes": []}}), [5])):
        with pytest.raises(ValueError):
            Draw.from_json(json_, shape)
    with pytest.raises(ValueError):
        Noise('{"kind": "nothing"}')
    assert nn_dropout.kernel_name() in ("avx512", "avx2", "neon", "portable")
