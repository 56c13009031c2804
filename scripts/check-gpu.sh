#!/usr/bin/env bash
# Tests the kernel for GPUs, as SPIR-V and as WGSL, and trains with it. It takes a quarter of an hour from cold.
#
# No GPU is needed: Mesa has a Vulkan and an OpenGL device in software. As root on Debian this installs them.
set -euo pipefail
cd "$(dirname "$0")/.."

has_driver() { compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null; }
if ! has_driver && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet
    apt-get install --quiet --yes --no-install-recommends mesa-vulkan-drivers libegl-mesa0 libegl1 libgl1-mesa-dri
fi
if ! has_driver; then
    echo 'skipped: there is no Vulkan driver, such as that of the Debian package mesa-vulkan-drivers'
    exit
fi
export NN_DROPOUT_GPU=required XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"

# All other crates have the features of the usual tests, and so are not compiled again.
features=nn-dropout-cli/vulkan,nn-dropout-cli/wgpu
gpu() { cargo "$1" --workspace --locked --features "$features" "${@:2}"; }
gpu test --lib cube::
gpu test --test cube --test cube_memory
# Without a Vulkan driver the device is OpenGL's, and the kernel WGSL. Burn's own matrix products crash Mesa's Vulkan driver, up to
# 25.0 at least, so the trainings are here.
VK_DRIVER_FILES=/dev/null gpu test --test cube --test cube_memory --test device

# With `DOCS_RS`, CUDA's crates can be checked without CUDA.
features+=,nn-dropout-cli/cuda
DOCS_RS=1 gpu clippy --all-targets -- -D warnings
