#!/usr/bin/env bash
# Fuzzes draws on slices, shapes and starts of every kind against the specification, for as long as its argument says, in
# seconds (60 if there is none).
#
# Needs cargo-fuzz (cargo install cargo-fuzz) and a nightly Rust:
#   rustup toolchain install nightly
# Without nightly, with a stable Rust that is told to be one:
#   CARGO=cargo RUSTC_BOOTSTRAP=1 scripts/check-fuzz.sh
set -euo pipefail
cd "$(dirname "$0")/.."

${CARGO:-cargo +nightly} fuzz run draw -- -max_total_time="${1:-60}"
