#!/usr/bin/env bash
# Builds the page and tests it in Chromium, against the test vectors and the program.
#
# As root on Debian this installs Chromium. It needs Node 20.19 or newer, and what build-wasm.sh says.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null; then
    echo 'skipped: the page needs Node 20.19 or newer'
    exit
fi
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
if ! test -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" && ! can_install; then
    echo 'skipped: the page needs `rustup target add wasm32-unknown-unknown`'
    exit
fi
if ! test -x "${CHROMIUM:-/usr/bin/chromium}" && can_install; then
    apt-get update --quiet
    apt-get install --quiet --yes --no-install-recommends chromium
fi
bash scripts/page.sh --build
if ! test -x "${CHROMIUM:-/usr/bin/chromium}"; then
    echo 'skipped: there is no Chromium to test the page in; name one with CHROMIUM'
    exit
fi
# The tests of the workspace have built the program.
NN_DROPOUT_PROGRAM=$PWD/target/debug/nn-dropout npm test --prefix crates/nn-dropout-wasm/page
