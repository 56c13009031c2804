#!/usr/bin/env bash
# Builds the Python package, installs it with PyTorch in an environment of its own (target/python), and tests it.
#
# It needs Python 3.10 or newer with `venv`, and about 6 GB. PyTorch and the models that the tests train come from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

package=crates/nn-dropout-python
export CARGO_TARGET_DIR="$PWD/target"

cargo fmt --manifest-path $package/Cargo.toml --check
cargo clippy --manifest-path $package/Cargo.toml --all-targets --locked -- -D warnings

test -d target/python || python3 -m venv target/python
target/python/bin/pip install --quiet --disable-pip-version-check "./$package[torch,test]"

style="--config $package/pyproject.toml $package benches/python/pytorch.py"
target/python/bin/ruff check $style
target/python/bin/ruff format --check $style
target/python/bin/python -m mypy.stubtest nn_dropout._core
target/python/bin/pytest --pyargs nn_dropout $package/tests
