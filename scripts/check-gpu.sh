#!/usr/bin/env bash
# Tests the kernel for GPUs on every Vulkan device there is, and trains on one. It takes a quarter of an hour from cold.
#
# No GPU is needed: Mesa's lavapipe is one in software (Debian's package `mesa-vulkan-drivers`, which is installed if you are root).
set -euo pipefail
cd "$(dirname "$0")/.."

has_driver() { compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null; }
if ! has_driver && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet
    apt-get install --quiet --yes --no-install-recommends mesa-vulkan-drivers
fi
if ! has_driver; then
    echo 'skipped: there is no Vulkan driver, such as that of the Debian package mesa-vulkan-drivers'
    exit
fi

# All other crates have the features of the usual tests, and so are not compiled again.
NN_DROPOUT_GPU=required cargo test --workspace --locked --features nn-dropout-cli/vulkan --test cube --test device
# What can be checked of CUDA without CUDA.
DOCS_RS=1 cargo check --locked -p nn-dropout-burn --features cuda
