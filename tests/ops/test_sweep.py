"""The sweep as other packages use it: it is whole, it finds what is wrong, and it says what."""

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyvae
from pyvae import functional as F
from pyvae import reference
from pyvae.testing import OpCase, density_case, draw, sweep

OPERANDS = {"x": draw.normal, "mean": draw.normal, "log_scale": draw.normal}
FILE = """
import pytest
from pyvae import functional as F, reference
from pyvae.testing import density_case, draw
from pyvae.testing.sweep import *

def wrong(x, mean, log_scale, batch_ndim=1):
    return {body}

@pytest.fixture
def case():
    operands = {{"x": draw.normal, "mean": draw.normal, "log_scale": draw.normal}}
    return density_case(F.laplace_log_prob, wrong, operands, namespace="pyvae",
                        broadcasts=("log_scale",))
"""
RIGHT = "reference.laplace_log_prob(x, mean, log_scale, batch_ndim)"


def run_sweep(folder, body):
    (folder / "test_mine.py").write_text(FILE.format(body=body))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    path = str(Path(pyvae.__file__).parents[1])
    done = subprocess.run(
        [*command, "-k", "specification or jvp or incoming_gradients"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


def test_a_right_density_passes(tmp_path):
    code, said = run_sweep(tmp_path, RIGHT)
    assert code == 0 and "10 passed" in said, said


def test_a_wrong_value_is_found_and_shown(tmp_path):
    code, said = run_sweep(tmp_path, f"1.001 * {RIGHT}")
    assert code == 1 and "laplace_log_prob result 0: Tensor-likes are not close" in said, said


def test_a_wrong_gradient_is_found_and_shown(tmp_path):
    body = f"{RIGHT} + (mean - mean.detach()).flatten(batch_ndim).sum(-1) * 0.001"
    code, said = run_sweep(tmp_path, body)
    assert code == 1 and "laplace_log_prob grad mean: Tensor-likes are not close" in said, said
    assert "result 0" not in said


def test_plain_assertions_are_explained(tmp_path):
    """Modules beside the test files are rewritten by pytest only where they ask for it."""
    code, said = run_sweep(tmp_path, f"{RIGHT}.unflatten(0, (-1, 1))")
    assert code == 1 and "assert torch.Size([" in said, said


def test_nothing_is_left_out_and_no_name_is_taken_twice():
    modules = [
        importlib.import_module(f"{sweep.__name__}.{m.name}")
        for m in pkgutil.iter_modules(sweep.__path__)
    ]
    names = [n for m in modules for n in vars(m) if n.startswith("test_")]
    assert sorted(names) == sorted(sweep.__all__)
    assert len(names) == len(set(names)) > 30


def test_benchmarks_need_no_pytest():
    code = "import sys, pyvae.testing; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_density_case_names_what_is_wrong():
    def make(**options):
        return density_case(
            F.laplace_log_prob, reference.laplace_log_prob, OPERANDS, namespace="pyvae", **options
        )

    with pytest.raises(ValueError, match="has operands x, mean, log_scale, got scale"):
        make(broadcasts=("scale",))
    with pytest.raises(ValueError, match="one operand at least must be no data, got x, mean, log"):
        make(data=tuple(OPERANDS))
    assert make().differentiable == ("x", "mean", "log_scale")
    assert make(discrete=True).differentiable == make().learned == ("mean", "log_scale")


def test_an_op_of_another_package_needs_a_reference():
    given = dict.fromkeys(("function", "shapes", "arguments"), lambda *a: {})
    with pytest.raises(ValueError, match=r"log_prob: an op of torch\.ops\.mine needs a reference"):
        OpCase(
            name="log_prob",
            sizes=(),
            small=(),
            differentiable=(),
            learned=(),
            namespace="mine",
            **given,
        )
