"""Vectors of 8 and 16 bits, for every instruction set that this processor has."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
#: Those of cmake/pyvaeDensities.cmake.
FLAGS = {
    "portable": "-DPYVAE_VECTOR_BYTES=16",
    "avx2": "-DPYVAE_VECTOR_BYTES=32 -mavx2 -mfma -mf16c",
    "avx512": "-DPYVAE_VECTOR_BYTES=64 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c",
}
HAS = {"AVX2": ("portable", "avx2"), "AVX512": tuple(FLAGS)}


@pytest.mark.parametrize("isa", FLAGS)
def test_vectors_are_converted_like_single_numbers(isa, tmp_path):
    if isa not in HAS.get(torch.backends.cpu.get_cpu_capability(), ("portable",)):
        pytest.skip(f"this processor has no {isa}")
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if not compiler:
        pytest.skip("needs a C++ compiler")
    program = tmp_path / "narrow"
    flags = ["-std=c++20", "-O1", "-Wall", "-Wno-psabi", f"-I{CSRC}", f"-DPYVAE_ISA={isa}"]
    command = [compiler, *flags, *FLAGS[isa].split(), str(HERE / "narrow.cpp"), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.stdout.strip() == "as one at a time", done.stdout + done.stderr
