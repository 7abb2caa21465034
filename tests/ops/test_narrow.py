"""Vectors of 8 and 16 bits, for every instruction set that this processor has."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from pyvae import functional as F

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


OPS = [F.bernoulli_log_prob, F.gaussian_log_prob, F.laplace_log_prob, F.poisson_log_prob]


def operands(op, *shape):
    given = torch.randn(3, *shape).bfloat16()
    if op in (F.bernoulli_log_prob, F.poisson_log_prob):
        return given[0].abs().clamp(max=1), given[1]
    return given.unbind()


@pytest.mark.parametrize("columns", [*range(1, 100), 784, 1023, 1025])
@pytest.mark.parametrize("op", OPS)
def test_bfloats_are_what_they_are_as_float32(op, columns):
    """In rows of every length, as values and gradients of whole vectors and of what is left."""
    half = operands(op, 3, columns)
    results = []
    for dtype in (torch.bfloat16, torch.float32):
        leaves = [half[0].to(dtype), *(h.to(dtype).requires_grad_() for h in half[1:])]
        value = op(*leaves)
        grads = torch.autograd.grad(value, leaves[1:], torch.tensor([1.0, -2.0, 0.3]))
        results.append((value, grads))
    (value, grads), (true_value, true_grads) = results
    torch.testing.assert_close(value, true_value, rtol=2e-6, atol=2e-6 * columns)
    for g, true in zip(grads, true_grads, strict=True):
        assert g.dtype == torch.bfloat16
        # Rounded once, of numbers that agree but for the last places of float32.
        assert ((g.float() - true).abs() <= 2**-8 * true.abs() * (1 + 1e-4) + 1e-6).all()
        assert columns < 50 or (g == true.bfloat16()).float().mean() > 0.98


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FFFFFFF, 0x7FFF8000, -1, 0x7F800001])
@pytest.mark.parametrize("op", OPS)
def test_whatever_nan_comes_in_is_nan_in_a_gradient_of_bfloats(op, bits):
    """Of 32 bits rounded to 16, the lower half may carry into the exponent."""
    x, *rest = operands(op, 3, 100)
    leaves = [r.requires_grad_() for r in rest]
    nan = torch.tensor([bits], dtype=torch.int64).to(torch.int32).view(torch.float32)
    grad = torch.cat([torch.ones(1), nan, nan])
    for g in torch.autograd.grad(op(x, *leaves), leaves, grad):
        assert g[0].isfinite().all() and g[1:].isnan().all()
