#!/usr/bin/env bash
# Runs the library's tests under AddressSanitizer: no kernel may touch memory outside of its slices.
#
# Needs a nightly Rust for Linux on x86-64:
#   rustup toolchain install nightly
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS=-Zsanitizer=address
export CARGO_TARGET_DIR=target/sanitizer

# Naming the target keeps build scripts and macros out of it.
cargo +nightly test -p nn-dropout --lib --tests --locked --target x86_64-unknown-linux-gnu
