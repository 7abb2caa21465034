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

# Of torch only what a build reads: its headers, three libraries and its version.
package=$work/torch-$torch
[[ -f $package/torch/version.py ]] || {
  "$tools/bin/pip" download -q --no-deps --only-binary=:all: -d "$work/download" "torch==$torch"
  "$tools/bin/python" - "$work/download" "$package" << 'PYTHON'
import re
import sys
import zipfile
from pathlib import Path

(wheel,) = Path(sys.argv[1]).glob("torch-*.whl")
wanted = re.compile(r"torch/(include/|lib/lib(torch|torch_cpu|c10)\.so$|version\.py$)")
with zipfile.ZipFile(wheel) as archive:
    names = sorted(filter(wanted.match, archive.namelist()), key=lambda name: "version" in name)
    archive.extractall(sys.argv[2], names)
PYTHON
  rm -rf "$work/download"
}

export PYVAE_TORCH=$package/torch
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
