#!/usr/bin/env bash
# Compiles nn-dropout-wasm, and makes the JavaScript around it for the page: `core`, which every visitor loads, and `training`.
#
# It needs Rust's standard library for WebAssembly: `rustup target add wasm32-unknown-unknown`. Without rustup's, as root on Debian,
# this installs Debian's Rust, and compiles the standard library from its source.
set -euo pipefail
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
tools=target/tools
export CARGO_TARGET_DIR=target/wasm
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS='-C target-feature=+simd128'
cargo=cargo
std=()
if ! test -d "$(rustc --print sysroot)/lib/rustlib/$target"; then
    if ! test -d /usr/lib/rustlib/src && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update --quiet
        apt-get install --quiet --yes --no-install-recommends rustc-web cargo-web rust-web-src
    fi
    if ! test -d /usr/lib/rustlib/src; then
        echo 'WebAssembly needs its standard library: rustup target add wasm32-unknown-unknown' >&2
        exit 1
    fi
    lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$lld
    cargo=/usr/bin/cargo
    std=(-Zbuild-std=std,panic_abort)
fi

version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
if ! test "$("$tools/bin/wasm-bindgen" --version 2>/dev/null)" = "wasm-bindgen $version"; then
    # Unoptimised it is built in half the time, and quick enough.
    env -u RUSTC -u RUSTC_BOOTSTRAP CARGO_TARGET_DIR="$tools/build" \
        cargo install wasm-bindgen-cli --version "$version" --no-default-features --debug --root "$tools"
fi

# build NAME FEATURES
build() {
    "$cargo" build -p nn-dropout-wasm --profile wasm --locked --target $target --features "$2" ${std[@]+"${std[@]}"}
    "$tools/bin/wasm-bindgen" --target web --remove-name-section --remove-producers-section \
        --out-dir "crates/nn-dropout-wasm/page/src/wasm/$1" --out-name "nn_dropout_$1" \
        "$CARGO_TARGET_DIR/$target/wasm/nn_dropout_wasm.wasm"
}
build core ''
build training training
