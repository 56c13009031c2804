#!/usr/bin/env bash
# Runs the specification and the portable kernel under Miri, which finds undefined behaviour.
#
# Takes minutes. Needs a nightly Rust with Miri:
#   rustup toolchain install nightly --component miri
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=target/miri
cargo +nightly miri test -p nn-dropout --lib --locked --no-default-features -- spec:: small
