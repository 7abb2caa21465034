#!/usr/bin/env bash
# nvcc and what it compiles with, from Python packages, in a folder as CMake looks for a toolkit:
#
#   PYTHON=python3 .github/cuda_toolkit.sh FOLDER [RELEASE]
#
# All of one release: left to themselves, the packages would bring parts of different ones.
set -euo pipefail
folder=$1 release=${2:-13.0}
packages=(nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-runtime nvidia-cuda-cccl)
"${PYTHON:-python3}" -m pip install -q --no-deps --target "$folder.packages" "${packages[@]/%/==$release.*}"
mv "$folder.packages/nvidia/cu${release%%.*}" "$folder"
rm -rf "$folder.packages"
ln -s lib "$folder/lib64"
ln -s "libcudart.so.${release%%.*}" "$folder/lib/libcudart.so"
"$folder/bin/nvcc" --version
