#!/usr/bin/env bash
# Runs the library's tests as an AArch64 program, under emulation, so that the NEON kernel is tested on any machine.
#
# Takes minutes. Needs qemu-aarch64, aarch64-linux-gnu-gcc with its C library, and Rust's standard library for the target:
#   rustup target add aarch64-unknown-linux-gnu
# or, without rustup, Debian's (dpkg --add-architecture arm64 first):
#   apt install rustc-web cargo-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
#   CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc scripts/check-neon.sh
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64
# Under qemu 7.2 a dynamically linked program hangs where it starts a thread.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static"
export CARGO_TARGET_DIR=target/neon

"${CARGO:-cargo}" test -p nn-dropout --lib --tests --examples --locked --target aarch64-unknown-linux-gnu
"${CARGO:-cargo}" run -p nn-dropout --example self_check --locked --target aarch64-unknown-linux-gnu
