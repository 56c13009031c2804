#!/usr/bin/env bash
# Builds the page in target/page, with the book beside it, and serves both on this machine. With `--build` it only builds.
#
# It needs Node 20.19 or newer, and what build-wasm.sh and check-book.sh say. From cold it takes about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/build-wasm.sh
bash scripts/check-book.sh
cd crates/nn-dropout-wasm/page
npm ci --no-audit --no-fund
npm run build
cp -r ../../../target/book ../../../target/page/book
test "${1:-}" = --build || npm run preview
