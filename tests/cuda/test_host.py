"""The CUDA kernels without a GPU: compiled as C++ and run by the executor of tests/cuda/executor.

A block's threads are fibers there, so barriers, shuffles and shared memory do what they do on a
device; CPU tensors run the kernels through the ordinary ops. Every kernel also runs under the
address sanitizer and the undefined-behaviour sanitizer, where the compiler has them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

TESTS = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "executor"
sys.path.append(str(FOLDER))
import executor_build  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the executor is for Linux"),
    pytest.mark.skipif(executor_build.compiler() is None, reason="needs a C++ compiler"),
]

#: Short of the whole suite: values, dtypes, layouts, noise and the extremes of every op.
SELECTION = [
    "ops/test_values.py",
    "ops/test_layouts.py",
    "ops/test_extremes.py",
    "ops/test_noise.py",
    "ops/test_one_pass.py",
]
#: Millions of steps of a block that a GPU takes side by side, and the executor one by one.
LEFT_OUT = "beyond_its_range and (gaussian_mixture or mmd)"
REPORT = re.compile(r"ERROR: AddressSanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(p for p in (str(FOLDER), os.environ.get("PYTHONPATH")) if p)
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1", **more}


def run(command: list[str], folder: Path, **more: str) -> str:
    """What a Python process says in which the executor's library can be loaded."""
    done = subprocess.run(
        [sys.executable, *command],
        env=environment(**more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    said = done.stdout + done.stderr
    assert not REPORT.search(said), said[-6000:]
    assert done.returncode == 0, said[-6000:]
    return said


def cases(folder: Path, name: str, *options: str, **more: str) -> dict[str, list[torch.Tensor]]:
    path = folder / f"{name}.pt"
    said = run([str(FOLDER / "run_cases.py"), str(path), *options], folder, **more)
    launches = int(said.split("launches:")[1].split()[0])
    assert (launches > 100) == ("cpu" not in options)
    return torch.load(path)


@pytest.fixture(scope="module", autouse=True)
def library() -> Path:
    return executor_build.library()


@pytest.fixture(scope="module")
def sanitizers() -> str:
    """Address sanitizer's library, which a Python without it has to preload."""
    try:
        return executor_build.runtime()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_the_executor_itself():
    program = executor_build.selftest()
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ok") >= 9


@pytest.mark.parametrize(
    "mistake, report",
    [
        ("misaligned", "misaligned address"),
        ("beyond", "heap-buffer-overflow"),
        ("beyond_shared", "out of bounds"),
    ],
)
def test_the_sanitizers_see_into_kernels(sanitizers, mistake, report):
    program = executor_build.selftest(sanitize=True)
    good = subprocess.run([str(program)], capture_output=True, text=True)
    assert good.returncode == 0 and not REPORT.search(good.stderr), good.stderr[-3000:]
    bad = subprocess.run([str(program), mistake], capture_output=True, text=True)
    assert bad.returncode != 0
    assert report in bad.stderr


def test_shared_variables_are_all_that_is_poisoned(library):
    """The executor overwrites the library's thread-local storage: it must hold nothing else."""
    listing = subprocess.run(
        ["nm", "-C", str(library)], capture_output=True, text=True, check=True
    ).stdout
    sections = subprocess.run(
        ["readelf", "-sW", str(library)], capture_output=True, text=True, check=True
    ).stdout
    assert "anchor" in listing
    names = {line.split()[-1] for line in sections.splitlines() if " TLS " in line}
    allowed = re.compile(r"_ZZ|_ZN5pyvae8executor6anchorE")
    assert not [name for name in names if not allowed.match(name)]


def test_the_op_tests_pass_over_cuda_kernels():
    command = ["-m", "pytest", "-q", "-p", "executor_plugin", "-p", "no:cacheprovider"]
    files = [str(TESTS / name) for name in SELECTION]
    said = run([*command, "-k", f"not ({LEFT_OUT})", *files], TESTS.parent)
    assert int(re.search(r"(\d+) launches", said)[1]) > 1000


def test_results_depend_on_no_order_and_agree_with_the_cpu(tmp_path):
    forward = cases(tmp_path, "forward", PYVAE_EXECUTOR_ORDER="forward")
    reverse = cases(tmp_path, "reverse", PYVAE_EXECUTOR_ORDER="reverse")
    wide = cases(tmp_path, "wide", PYVAE_EXECUTOR_MULTIPROCESSORS="132")
    cpu = cases(tmp_path, "cpu", "cpu")
    for name, tensors in forward.items():
        for other, what in ((reverse, "another order"), (wide, "another device")):
            for a, b in zip(tensors, other[name], strict=True):
                assert torch.equal(a, b), f"{name}: {what}"
        for a, b in zip(tensors, cpu[name], strict=True):
            eps = torch.finfo(a.dtype).eps
            scale = max(4.0, b.abs().max().item()) if b.numel() else 1.0
            assert_close(a, b, rtol=64 * eps, atol=64 * eps * scale, equal_nan=True, msg=name)


def test_launches_of_a_training_step(tmp_path):
    """What lies between the networks: by elbo_loss with a seed given, and by the objective."""
    said = run([str(FOLDER / "run_launches.py")], tmp_path)
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    # A sample, two values with gradients, the loss, what the backward scales, the sample's
    # gradient; torch's incoming gradient of 1, and two sums of gradients of the same parameter.
    assert found["float32"] == {"pyvae": 6, "torch": 3}
    assert found["float32, beta"] == {"pyvae": 6, "torch": 3}
    assert found["float32, 256 long rows"] == {"pyvae": 6, "torch": 3}
    assert found["float32, 4 long rows"] == {"pyvae": 7, "torch": 3}  # parts of rows to add up
    assert found["bfloat16"] == {"pyvae": 7, "torch": 3}  # likelihood and KL made again apart
    # A sample with its KL, a value with gradients, the loss with its terms, two looks at incoming
    # gradients that are the expected ones, the sample's gradient; torch's draw of the seed, and its
    # incoming gradient of 1 unless that is there.
    for case in ("objective", "objective, beta", "objective, bfloat16", "objective, 256 long rows"):
        assert found[case] == {"pyvae": 6, "torch": 2}, case
    assert found["objective, gradient given"] == {"pyvae": 6, "torch": 1}
    assert found["two gradients scaled"] == found["two gradients made again"] == {"pyvae": 1}
    # Values and sums in one pass, whose parts are then added up. The backward looks at the incoming
    # gradients; where they are those of a mean, both kernels leave it at that. Eight rows are one
    # part, so that only the parts of values are added up.
    once = {"forward": {"pyvae": 2}, "mean": {"pyvae": 2}, "another": {"pyvae": 2}}
    assert found["shared"] == found["shared, bfloat16"] == once
    assert found["shared by few"] == {**once, "mean": {"pyvae": 1}, "another": {"pyvae": 1}}


def test_every_kernel_is_clean_under_sanitizers(sanitizers, tmp_path):
    executor_build.library(sanitize=True)
    found = cases(
        tmp_path,
        "sanitized",
        LD_PRELOAD=sanitizers,
        # A report ends the process. What Python itself leaks is of no interest.
        ASAN_OPTIONS="detect_leaks=0:halt_on_error=1",
        UBSAN_OPTIONS="print_stacktrace=1",
        PYTHONMALLOC="malloc",
        PYVAE_EXECUTOR_SANITIZE="1",
    )
    assert all(t.isfinite().all() for tensors in found.values() for t in tensors)
