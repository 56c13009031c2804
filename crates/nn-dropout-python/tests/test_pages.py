"""The Python in the book and in the project's README runs."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).parents[3]
# Translations have the same code: `crates/nn-dropout-cli/tests/book.rs` compares them.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/layers").glob("*.md"))]
BLOCKS = {page: re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL) for page in PAGES}
WITH_PYTHON = [page for page, blocks in BLOCKS.items() if blocks]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_page(page):
    # What the first line of the tutorial takes for granted.
    names = {"torch": torch, "nn": torch.nn, "config": SimpleNamespace(dropout=0.5)}
    for block in BLOCKS[page]:
        exec(block, names)


def test_there_are_pages():
    assert {"README.md", "tutorial.md", "pytorch.md", "uncertainty.md"} <= {page.name for page in WITH_PYTHON}
