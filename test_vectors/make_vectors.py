"""Writes vectors.json: draws, and what they have to give, for the tests of every crate and language. Needs NumPy only.

    python make_vectors.py > vectors.json

A case is a draw (mask, index map, effect) and, for its elements in row-major order, the SHA-256 of

    kept    the bits, 1 where an element is kept, eight to a byte, the first in the lowest bit, the last byte filled up with 0
    numbers the numbers in f32, in place of the bits, where the effect takes numbers
    f32...  the output for the input x[i] = T(f64((7 * i) mod 509) / 37 - 6.5), little-endian, T being f32, f64, f16 or bf16

Numbers that may exceed 2^53 are strings. Effects are those of the library by name, with their amount if they have one. A case
with a "config" is what the layer with this configuration has to draw for a tensor of this "shape" in this "mode", if it is the
first of a generator with the mask's seed. Nothing here uses the Rust code.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent.parent / "crates/nn-dropout/tests/fixtures"))
from mask_reference import bit, keep, normal, uniform, word

SELU_LIMIT = 1.7580993408473766  # SELU's scale times its alpha


def philox(seed, layer, step, p):
    return {"philox": {"seed": str(seed), "layer": layer, "step": step, "p": p}}


def jax(key, p):
    return {"jax": {"key": key, "p": p}}


def torch(seed, count, p):
    """The first mask that PyTorch draws after torch.manual_seed(seed), of this many elements."""
    return {"torch": {"seed": str(seed), "count": count, "p": p}}


def held(kept, p):
    """A mask that holds its bits."""
    return {"bits": {"hex": np.packbits(kept, bitorder="little").tobytes().hex(), "count": len(kept), "p": p}}


def threefry(key, index):
    """jax.random.bits for a Threefry key, before the two words of a counter are joined."""
    words = [(index >> np.uint64(32)).astype(np.uint32), index.astype(np.uint32)]
    schedule = [np.uint32(key[0]), np.uint32(key[1]), np.uint32(key[0] ^ key[1] ^ 0x1BD11BDA)]
    x0, x1 = words[0] + schedule[0], words[1] + schedule[1]
    for four in range(5):
        for rotation in [[13, 15, 26, 6], [17, 29, 16, 24]][four % 2]:
            x0 = x0 + x1
            x1 = (x1 << np.uint32(rotation) | x1 >> np.uint32(32 - rotation)) ^ x0
        x0 = x0 + schedule[(four + 1) % 3]
        x1 = x1 + schedule[(four + 2) % 3] + np.uint32(four + 1)
    return x0, x1


def bits_of(mask, index):
    """The mask's bits with these numbers."""
    [(family, m)] = mask.items()
    if family == "philox":
        return keep(int(m["seed"]), m["layer"], m["step"], m["p"], index)
    if family == "jax":
        x0, x1 = threefry(m["key"], index)
        keep_p = np.float64(np.float32(1.0 - m["p"]))
        return ((x0 ^ x1) >> np.uint32(9)).astype(np.float64) * 2.0**-23 < keep_p
    if family == "bits":
        return np.unpackbits(np.frombuffer(bytes.fromhex(m["hex"]), np.uint8), bitorder="little")[index.astype(np.int64)] == 1
    # RandomState seeds MT19937 as PyTorch does; bytes() are its words, little-endian.
    words = np.frombuffer(np.random.RandomState(int(m["seed"]) & 0xFFFFFFFF).bytes(8 * m["count"]), dtype="<u4").astype(np.uint64)
    numbers = (words[0::2] << np.uint64(32) | words[1::2]) & np.uint64(2**53 - 1)
    return (numbers.astype(np.float64) * 2.0**-53 < 1.0 - m["p"])[index.astype(np.int64)]


class F32:
    rounded = staticmethod(lambda number: np.float64(np.float32(number)))
    narrow = staticmethod(lambda numbers: np.asarray(numbers, dtype=np.float64).astype(np.float32))
    compute = staticmethod(lambda operation, a, b: operation(a, b))
    stored = "<f4"


class F64(F32):
    rounded = staticmethod(np.float64)
    narrow = staticmethod(lambda numbers: np.asarray(numbers, dtype=np.float64))
    stored = "<f8"


class F16(F32):
    narrow = staticmethod(lambda numbers: np.asarray(numbers, dtype=np.float64).astype(np.float16))
    compute = staticmethod(lambda operation, a, b: operation(a.astype(np.float32), b.astype(np.float32)).astype(np.float16))
    stored = "<f2"


def round_to_bf16(bits):
    """The upper halves of f32 numbers, rounded half to even."""
    return ((bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


class BF16:
    """As sixteen-bit integers. A double is brought to f32 by rounding to odd first, so that it is rounded once."""

    rounded = F32.rounded
    stored = "<u2"

    @staticmethod
    def narrow(numbers):
        numbers = np.asarray(numbers, dtype=np.float64)
        single = np.asarray(numbers.astype(np.float32))
        bits = single.view(np.uint32).astype(np.int64)
        exact = single.astype(np.float64)
        toward_zero = bits - (np.abs(exact) > np.abs(numbers))
        odd = np.where(exact == numbers, bits, toward_zero | 1)
        return round_to_bf16(odd.astype(np.uint32))

    @staticmethod
    def compute(operation, a, b):
        wide = [(n.astype(np.uint32) << np.uint32(16)).view(np.float32) for n in np.broadcast_arrays(a, b)]
        return round_to_bf16(np.asarray(operation(*wide), dtype=np.float32).view(np.uint32))


TYPES = {"f32": F32, "f64": F64, "f16": F16, "bf16": BF16}


def apply(kind, family, effect, p, kept, x):
    """What the draw makes of x, as its specification says: multiply, then add, each rounded to the type."""
    number = lambda value: np.asarray(kind.narrow(value))
    multiply = lambda a, b: kind.compute(np.multiply, a, np.asarray(b))
    if effect in ["keep", "drop"]:
        return multiply(x, np.where(kept == (effect == "keep"), number(1.0), number(0.0)))
    if effect == "drop-key":
        with np.errstate(invalid="ignore"):
            return kind.compute(np.add, multiply(x, number(1.0)), np.where(kept, number(0.0), number(-np.inf)))
    if effect == "dropout" and family == "jax":
        quotient = kind.compute(np.divide, x, number(1.0 - p)) if p < 1.0 else x
        return np.where(kept, quotient, number(0.0))
    if p == 1.0:
        return multiply(x, number(0.0))
    keep_p = 1.0 - p
    if effect == "dropout":
        scale = number(kind.rounded(1.0 / kind.rounded(keep_p)))
        return multiply(x, np.where(kept, scale, number(0.0)))
    a = 1.0 / np.sqrt((SELU_LIMIT * SELU_LIMIT * p + 1.0) * keep_p)
    shift = number(kind.rounded(SELU_LIMIT * a * p))
    limit = number(kind.rounded(-SELU_LIMIT * a))
    dropped = kind.compute(np.add, limit, shift)
    scaled = multiply(x, np.where(kept, number(kind.rounded(a)), number(0.0)))
    return kind.compute(np.add, scaled, np.where(kept, shift, dropped))


def is_of_numbers(effect):
    return effect == "gaussian-dropout" or isinstance(effect, dict)


def apply_numbers(kind, effect, p, numbers, x):
    """The same for effects that take numbers, which are exact in f32: multiply, then add, in the precision of the type."""
    wide = np.float64 if kind is F64 else np.float32
    if effect == "gaussian-dropout":
        scale = wide(1.0) + wide(np.sqrt(p / (1.0 - p))) * numbers.astype(wide)
        return kind.compute(np.multiply, x, kind.narrow(scale))
    [amount] = effect.values()
    return kind.compute(np.add, x, kind.narrow(wide(amount) * numbers.astype(wide)))


def numbers_of(mask, effect, index):
    m = mask["philox"]
    words = word(int(m["seed"]), m["layer"], m["step"], index)
    return uniform(words) if "uniform-noise" in effect else normal(words)


def case(mask, start, axes, effect="dropout", **layer):
    count = int(np.prod([size for size, _ in axes], dtype=np.int64))
    element = np.arange(count, dtype=np.uint64)
    [(family, m)] = mask.items()
    with np.errstate(over="ignore"):
        index = bit(start, axes, element)
        if is_of_numbers(effect):
            numbers = numbers_of(mask, effect, index)
        else:
            kept = bits_of(mask, index)
    sha256 = lambda data: hashlib.sha256(data).hexdigest()
    if is_of_numbers(effect):
        hashes = {"numbers": sha256(numbers.astype("<f4").tobytes())}
    else:
        hashes = {"kept": sha256(np.packbits(kept, bitorder="little").tobytes())}
    x = (7 * element % 509).astype(np.float64) / 37.0 - 6.5
    for name, kind in TYPES.items():
        if is_of_numbers(effect):
            y = apply_numbers(kind, effect, m["p"], numbers, kind.narrow(x))
        else:
            y = apply(kind, family, effect, m["p"], kept, kind.narrow(x))
        hashes[name] = sha256(np.asarray(y).astype(kind.stored).tobytes())
    index = {"start": str(start), "axes": [[str(size), str(stride)] for size, stride in axes]}
    return {"mask": mask, "index": index, "effect": effect, "sha256": hashes, **layer}


def sharing(shape, own):
    """The axes of a map in which only these have bits of their own, numbered row-major."""
    axes, bits = [], 1
    for axis in reversed(range(len(shape))):
        axes.insert(0, (shape[axis], bits if axis in own else 0))
        bits *= shape[axis] if axis in own else 1
    return axes


def layer_case(config, shape, own, effect="dropout", mode="train"):
    """What a layer draws: one bit for each place on the axes `own`."""
    mask = philox(7, 0, 0, config.get("p", 0.0))
    return case(mask, 0, sharing(shape, own), effect, config=config, shape=shape, mode=mode)


def block_case(config, shape, mode="train"):
    """Blocks of images: their places are drawn, and the bits of the elements follow from them."""
    samples, channels, height, width = shape
    p, size = config["p"], config.get("block_size", 7)
    clipping, coupled = config.get("clipping", False), config.get("coupled_channels", False)
    block = [min(size, height), min(size, width)] if clipping else [min(size, height, width)] * 2
    inside = (height - block[0] + 1) * (width - block[1] + 1)
    rate = p * (height * width) / (block[0] * block[1] * inside)
    places = (height, width) if clipping else (height - block[0] + 1, width - block[1] + 1)
    planes = (1 if mode == "monte-carlo" else samples) * (1 if coupled else channels)
    count = planes * places[0] * places[1]
    drawn = keep(7, 0, 0, 1.0 - rate, np.arange(count, dtype=np.uint64)).reshape(planes, *places)
    kept = np.ones((planes, height, width), dtype=bool)
    for plane, row, column in zip(*np.nonzero(drawn)):
        top, left = (row - block[0] // 2, column - block[1] // 2) if clipping else (row, column)
        kept[plane, max(top, 0) : top + block[0], max(left, 0) : left + block[1]] = False
    own = [axis for axis in range(4) if not (axis == 0 and mode == "monte-carlo" or axis == 1 and coupled)]
    dropped = (kept.size - int(kept.sum())) / kept.size
    mask = held(kept.reshape(-1), dropped)
    return case(mask, 0, sharing(shape, own), config=config, shape=shape, mode=mode)


def layers():
    """Every kind, with its options."""
    named = lambda kind, p=0.3, **options: {"kind": kind, "p": p, **options}
    yield layer_case(named("dropout"), [3, 5, 7], [0, 1, 2])
    yield layer_case(named("dropout", shared_axes=[1]), [3, 5, 7], [0, 2])
    yield layer_case(named("dropout", shared_axes=[0, 2]), [3, 5, 7], [1])
    yield layer_case(named("dropout"), [3, 5, 7], [1, 2], mode="monte-carlo")
    yield layer_case(named("dropout1d"), [3, 5, 7], [0, 1])
    yield layer_case(named("dropout1d", channels_last=True), [3, 5, 7], [0, 2])
    yield layer_case(named("dropout2d"), [3, 5, 4, 6], [0, 1])
    yield layer_case(named("dropout2d", channels_last=True), [3, 4, 6, 5], [0, 3])
    yield layer_case(named("dropout2d"), [3, 5, 4, 6], [1], mode="monte-carlo")
    yield layer_case(named("dropout3d"), [2, 3, 4, 2, 5], [0, 1])
    yield layer_case(named("alpha-dropout"), [9, 31], [0, 1], "alpha")
    yield layer_case(named("alpha-dropout", shared_axes=[0]), [9, 31], [1], "alpha")
    yield layer_case(named("feature-alpha-dropout"), [4, 9, 5], [0, 1], "alpha")
    yield layer_case(named("drop-path"), [40, 3, 2], [0])
    yield layer_case(named("drop-path", mode="batch"), [4, 3], [])
    yield layer_case(named("drop-path", scale_by_keep=False), [40, 3], [0], "keep")
    for options in [{}, {"block_size": 3}, {"block_size": 4}, {"block_size": 3, "clipping": True}]:
        yield block_case(named("drop-block2d", **options), [2, 3, 12, 10])
    yield block_case(named("drop-block2d", block_size=2, clipping=True, coupled_channels=True), [2, 3, 9, 8])
    yield block_case(named("drop-block2d", block_size=2), [4, 2, 9, 8], "monte-carlo")
    yield layer_case(named("gaussian-dropout"), [11, 99], [0, 1], "gaussian-dropout")
    yield layer_case(named("gaussian-dropout", shared_axes=[0]), [11, 99], [1], "gaussian-dropout")
    yield layer_case({"kind": "gaussian-noise", "stddev": 0.3}, [11, 99], [0, 1], {"gaussian-noise": 0.3})
    yield layer_case({"kind": "gaussian-noise", "stddev": 0.3}, [11, 99], [1], {"gaussian-noise": 0.3}, "monte-carlo")
    bound = 5.0 / np.sqrt(7.0 * 16.0)
    yield layer_case({"kind": "neftune-noise", "alpha": 5.0}, [4, 7, 16], [0, 1, 2], {"uniform-noise": bound})
    yield layer_case(named("drop-connect"), [17, 9], [0, 1])
    yield layer_case(named("drop-connect"), [17, 9], [0, 1], mode="monte-carlo")
    yield layer_case(named("embedding-dropout"), [50, 4], [0])
    yield layer_case(named("token-dropout"), [3, 20, 4], [0, 1])
    yield layer_case(named("token-dropout"), [3, 20, 4], [1], mode="monte-carlo")
    yield layer_case(named("drop-key"), [2, 4, 6, 6], [0, 1, 2, 3], "drop-key")
    yield layer_case(named("layer-drop"), [5], [], "keep")
    yield layer_case(named("zoneout"), [4, 30], [0, 1], "keep")
    yield layer_case(named("label-dropout"), [40, 3], [0], "keep")
    yield layer_case(named("node-dropout"), [99], [0], "keep")
    yield layer_case(named("edge-dropout"), [99], [0], "keep")


def cases():
    ours = philox(42, 3, 9, 0.1)
    # Every family, rate and effect, each element with its own bit.
    for p in [0.0, 1e-9, 0.1, 1 / 3, 0.5, 0.9, 1 - 2.0**-12, 1.0]:
        for count in [1, 7, 64, 1000]:
            for effect in ["dropout", "alpha"]:
                yield case(philox(2**64 - 1 - count, count, 2**32 - 1, p), 0, [(count, 1)], effect)
                yield case(jax([7, 2**32 - count], p), 0, [(count, 1)], effect)
                yield case(torch(123 + count, count, p), 0, [(count, 1)], effect)
    # Sizes around chunks, and large enough for several threads and for streaming stores.
    for count in [255, 256, 257, 1023, 1024, 1025, 4099, 300_007, (2 << 20) + 3]:
        yield case(ours, 0, [(count, 1)])
    yield case(philox(5, 0, 0, 0.5 + 2.0**-17), 0, [(1 << 20, 1)])  # ties
    # Starts within a block, where the upper half of a block's number changes, and where bits wrap around.
    for start in [1, 7, 8, 13, 2**35 - 700, 2**61 + 5, 2**63, 2**64 - 999]:
        yield case(ours, start, [(3000, 1)])
        yield case(jax([1, 2], 0.3), start, [(3000, 1)])
    # Channels first and last, locked dropout, paths, shared batches, broadcast axes.
    for axes in [
        [(6, 1), (1024, 0)], [(6, 1), (49, 0)], [(300, 1), (2, 0)], [(97, 1), (33, 0)],
        [(4, 3), (1024, 0), (3, 1)], [(4, 65), (49, 0), (65, 1)], [(8, 16), (300, 0), (16, 1)],
        [(4, 512), (7, 0), (512, 1)], [(2, 1500), (5, 0), (1500, 1)],
        [(9, 1), (777, 0)], [(5, 0), (999, 1)], [(3000, 0)], [(2, 3), (5, 0), (3, 1), (4, 0)],
    ]:
        yield case(ours, 0, axes)
        yield case(jax([3, 4], 0.25), 0, axes)
        yield case(ours, 11, axes, "alpha")
    # Parts: columns, a block of rows and columns, of three axes. Orders of memory: transposed, permuted, backwards.
    for start, axes in [
        (100, [(64, 4096), (100, 1)]), (2048, [(3, 4096), (2048, 1)]), (5 * 48 + 3, [(7, 48), (3, 1)]),
        (1234, [(3, 6000), (20, 300), (77, 1)]), (0, [(70, 1), (30, 70)]), (0, [(4, 600), (5, 1), (60, 5), (2, 300)]),
        (999, [(1000, 2**64 - 1)]), (5999, [(60, 2**64 - 100), (100, 2**64 - 1)]), (0, [(2000, 3)]), (0, [(50, 2**40), (40, 1)]),
    ]:
        yield case(ours, start, axes)
        yield case(jax([5, 6], 0.5), start, axes)
    # Numbers: around chunks, from anywhere, shared, gathered, and where words wrap around.
    effects = ["gaussian-dropout", {"gaussian-noise": 0.25}, {"uniform-noise": 0.25}]
    for effect in effects:
        for count in [1, 7, 255, 256, 257, 1023, 1025, 70_001]:
            yield case(ours, 0, [(count, 1)], effect)
        for start in [1, 2, 3, 2**34 - 100, 2**62 + 1, 2**64 - 99]:
            yield case(ours, start, [(1000, 1)], effect)
        for axes in [[(6, 1), (49, 0)], [(5, 0), (300, 1)], [(4, 65), (9, 0), (65, 1)], [(70, 1), (30, 70)], [(40, 3)]]:
            yield case(ours, 11, axes, effect)
    # Effects without scaling.
    for effect in ["keep", "drop", "drop-key"]:
        yield case(ours, 5, [(3000, 1)], effect)
        yield case(jax([7, 8], 0.4), 0, [(50, 1), (20, 0)], effect)
    yield from layers()
    yield case(torch(1, 6000, 0.3), 0, [(60, 1), (100, 60)])
    yield case(torch(1, 6, 0.3), 0, [(6, 1), (50, 0)], "alpha")


def main():
    lines = ",\n".join(json.dumps(case) for case in cases())
    print(f"[\n{lines}\n]")


if __name__ == "__main__":
    main()
