#!/usr/bin/env bash
# Builds, without a GPU, the wheel that run.sh installs: stripped, with CUDA kernels, for the Python and
# the torch of the machine that has one. Needs nvcc, a C++ compiler and a package index.
#
#   PYTHON=python3.12 bench/lease/wheel.sh [FOLDER]
#
# TORCH, ARCHS: what it is for (default: 2.11.0, and 90, an H100). FOLDER keeps the build, of some GB
# (default: .lease/build); the wheel goes into .lease/wheels. CMAKE_BUILD_PARALLEL_LEVEL: processes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${PYTHON:-python3.12} torch=${TORCH:-2.11.0} archs=${ARCHS:-90}
work=${1:-.lease/build} wheels=.lease/wheels most=48 # MiB: it has to travel
mkdir -p "$work" "$wheels"
work=$(cd "$work" && pwd)

tools=$work/tools
[[ -x $tools/bin/ninja ]] || {
  "$python" -m venv "$tools"
  "$tools/bin/pip" install -q "scikit-build-core>=0.10" "setuptools-scm>=8" "pybind11>=2.13" \
    "cmake>=3.26" ninja
}

export PYVAE_TORCHES=$work/$torch/torch
"$tools/bin/python" .github/torches.py

export CMAKE_ARGS="-DPYVAE_CUDA=ON -DPYVAE_CUDA_ARCHS=$archs" CMAKE_GENERATOR=Ninja
rm -f "$wheels"/pyvae_fused-*.whl
PATH=$tools/bin:$PATH "$tools/bin/pip" wheel -v --no-deps --no-build-isolation --no-cache-dir \
  -C install.strip=true -C "build-dir=$work/cmake" -w "$wheels" . > "$work/log.txt" 2>&1 || {
  tail -n 40 "$work/log.txt" >&2
  exit 1
}
size=$(du -m "$wheels"/pyvae_fused-*.whl | cut -f 1)
ls "$wheels"/pyvae_fused-*.whl
echo "torch $torch, architectures $archs, $size MiB"
((size <= most)) || { echo "wheel.sh: more than $most MiB do not travel" >&2; exit 1; }
