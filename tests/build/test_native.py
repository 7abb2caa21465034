"""The native library: which instruction set, which torch, and what runs where it has no kernels."""

import os
import platform
import subprocess
import sys
import warnings

import pytest
import torch
from torch.testing import assert_close

from pyvae import _library
from pyvae.testing import CASES, differentiate, outputs

SCRIPT = """
import sys, torch
from pyvae import _native
from pyvae.testing import CASES, differentiate, outputs
print(_native.instruction_set())
found = {}
for name, case in CASES.items():
    inputs = case.inputs(*(2 * s + 31 for s in case.small), requires_grad=case.differentiable)
    values, grads = differentiate(case, inputs, case.differentiable)
    found[name] = [t.detach() for t in (*values, *grads.values())]
torch.save(found, sys.argv[1])
"""


def run(isa, path):
    environment = {**os.environ, "PYVAE_ISA": isa}
    if not isa:
        del environment["PYVAE_ISA"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env=environment,
        cwd=path.parent,  # not the source tree, which python -c would import
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done, torch.load(path, weights_only=True) if path.exists() else None


def flags():
    if platform.machine() not in ("x86_64", "AMD64"):
        return ["portable"]
    try:
        with open("/proc/cpuinfo") as lines:
            words = next(line for line in lines if line.startswith("flags")).split()
    except (OSError, StopIteration):
        return ["portable"]
    return [
        "portable",
        *(["avx2"] if "avx2" in words else []),
        *(["avx512"] if "avx512vl" in words else []),
    ]


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    done, found = run("", tmp_path_factory.mktemp("isa") / "default.pt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == flags()[-1]
    return found


@pytest.mark.parametrize("isa", ["portable", "avx2"])
def test_every_instruction_set_gives_the_same(isa, default, tmp_path):
    if isa not in flags():
        pytest.skip(f"this processor has no {isa}")
    done, found = run(isa, tmp_path / "found.pt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == isa
    assert_close(found, default, rtol=1e-5, atol=5e-5)


def test_an_unknown_instruction_set_is_named(tmp_path):
    done, _ = run("nonsense", tmp_path / "none.pt")
    assert done.returncode != 0
    assert "PYVAE_ISA must be portable" in done.stderr and "nonsense" in done.stderr


@pytest.fixture
def unwarned(monkeypatch):
    monkeypatch.setattr(_library, "_warned", set())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_device_without_kernels_runs_the_specification(case, unwarned):
    """The kernels of last resort, called for CPU tensors, give what the CPU's own give."""
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CompositeExplicitAutograd)
    inputs = case.inputs(dtype=torch.float64, requires_grad=case.differentiable)
    expected, slopes = differentiate(case, inputs, case.differentiable)
    plain = {n: t.detach() if torch.is_tensor(t) else t for n, t in inputs.items()}
    arguments = case.arguments(plain)
    with pytest.warns(UserWarning, match="no cpu kernels in this build"):
        found = case.op.default.redispatch(keys, *arguments)
    assert_close(outputs(found), tuple(r.detach() for r in expected))

    tensors = [a for a in arguments if a is None or torch.is_tensor(a)]
    names = [next((n for n, t in plain.items() if t is a), None) for a in tensors]
    mask = [n in case.differentiable for n in names]
    generator = torch.Generator().manual_seed(1000)
    incoming = [
        torch.randn(r.shape, generator=generator, dtype=torch.float64).to(r) for r in expected
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        backward = getattr(case.ops, f"{case.native}_backward").default
        grads = outputs(backward.redispatch(keys, *incoming, *arguments, mask))
    for name, grad in zip(names, grads, strict=True):
        if name in slopes:
            assert_close(grad, slopes[name])


def test_the_specification_too_refuses_two_devices(unwarned):
    fallback = _library._without_kernel(lambda *a: a)
    with pytest.raises(ValueError, match=r"one device, got cpu, meta"):
        fallback(torch.zeros(2), torch.zeros(2, device="meta"))
