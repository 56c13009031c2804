"""The noise on other devices is that of the CPU core, bit for bit: PyTorch's operations, and the Triton kernel interpreted."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from nn_dropout import _core
from nn_dropout.torch import _philox

ROOT = Path(__file__).parents[3]
CASES = json.loads((ROOT / "test_vectors/vectors.json").read_text())
CASES = [case for case in CASES if case["mask"].keys() <= {"philox", "bits"}]
DTYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}


def draw_of(case) -> _core.Draw:
    """The draw of a case, for a tensor with the axes of its index map."""
    [(family, mask)] = case["mask"].items()
    if family == "philox":
        mask = {"philox": {**mask, "seed": int(mask["seed"])}}
    else:
        mask = {"stored": {"bits": list(bytes.fromhex(mask["hex"])), "count": mask["count"], "p": mask["p"]}}
    axes = [[int(size), int(stride)] for size, stride in case["index"]["axes"]]
    index = {"start": int(case["index"]["start"]), "axes": axes}
    shape = [size for size, _ in axes]
    return _core.Draw.from_json(json.dumps({"mask": mask, "index": index, "effect": case["effect"]}), shape)
