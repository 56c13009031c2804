"""The Python in the README runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL)
ON_RANKS = [block for block in BLOCKS if "init_process_group" in block]


def test_blocks():
    assert len(BLOCKS) >= 6
    names = {}
    for block in BLOCKS:
        if block not in ON_RANKS:
            exec(block, names)
    assert names["prediction"].mean.shape == (5, 1)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="there is no torch.distributed here")
def test_ranks(tmp_path):
    (tmp_path / "ranks.py").write_text(ON_RANKS[0] + 'print("the end", flush=True)\n')
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "ranks.py"]
    ran = subprocess.run([sys.executable, *launch], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    # Not by its exit status: gloo now and then aborts when processes end.
    assert ran.stdout.count("the end") == 2, ran.stderr
