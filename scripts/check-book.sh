#!/usr/bin/env bash
# Makes the book of the pages in `docs`, in target/book, and fails on any warning. The tests of the workspace check the links, the
# commands and the code.
#
# It installs mdBook into target/tools, which takes a minute the first time.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.4
mdbook=target/tools/bin/mdbook
if [ "$($mdbook --version 2>/dev/null)" != "mdbook v$version" ]; then
    # Unoptimised it is built in half the time, and quick enough.
    CARGO_TARGET_DIR=target/tools/build cargo install mdbook --version $version --locked --debug --root target/tools \
        --no-default-features --features search
fi

said=$($mdbook build docs 2>&1) || { echo "$said" >&2; exit 1; }
if grep -E "WARN|ERROR" <<<"$said" >&2; then
    exit 1
fi
echo "the book is in target/book/index.html"
