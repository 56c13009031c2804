#!/usr/bin/env bash
# Damages files of every kind that the program reads, and gives them to their readers: none may panic. Each reader gets as many
# as the argument says (1,000,000 if there is none, some ten million in all, which takes hours).
#
# Needs nothing besides what the tests need.
set -euo pipefail
cd "$(dirname "$0")/.."

NN_DROPOUT_MUTATIONS="${1:-1000000}" RUST_BACKTRACE=0 cargo test --release -p nn-dropout-cli --locked --bin nn-dropout mutation
