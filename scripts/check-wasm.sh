#!/usr/bin/env bash
# Runs examples/self_check.rs as WebAssembly in Node, with simd128 and without.
#
# Needs Node, and Rust's standard library for the target:
#   rustup target add wasm32-unknown-unknown
# or, without rustup, Debian's with the standard library built from source, and rust-lld from any Rust:
#   apt install rustc-web cargo-web rust-web-src
#   CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUST_LLD=.../rust-lld scripts/check-wasm.sh -Zbuild-std=std,panic_abort
# Arguments are passed on to Cargo.
set -euo pipefail
cd "$(dirname "$0")/.."

case "$*" in *-Z*) export RUSTC_BOOTSTRAP=1 ;; esac
[ -z "${RUST_LLD:-}" ] || export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$RUST_LLD"
export CARGO_TARGET_DIR=target/wasm

for features in -simd128 +simd128; do
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-C target-feature=$features"
    "${CARGO:-cargo}" build -p nn-dropout --example self_check --release --locked --target wasm32-unknown-unknown "$@"
    node -e '
        const fs = require("fs");
        const module = new WebAssembly.Module(fs.readFileSync(process.argv[1]));
        new WebAssembly.Instance(module).exports.main(0, 0);
        console.log(`wasm32 ${process.argv[2]}: all bits and values are as specified`);
    ' target/wasm/wasm32-unknown-unknown/release/examples/self_check.wasm "$features"
done
