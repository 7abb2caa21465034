"""bench/gpu.py in pieces, on the CPU: what it would run, what it measures and what it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pyvae.testing import CASES

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(autouse=True)
def scripts(monkeypatch, one_thread):
    monkeypatch.syspath_prepend(str(BENCH))


def test_all_parts_run_unless_some_are_named():
    import gpu

    assert gpu.parser().parse_args([]).parts == list(gpu.PARTS)
    chosen = gpu.parser().parse_args(["--parts", "ops", "--dtypes", "float16"])
    assert (chosen.parts, chosen.dtypes, chosen.device) == (["ops"], ["float16"], "cuda")
    with pytest.raises(SystemExit):
        gpu.parser().parse_args(["--parts", "nonsense"])


def test_every_op_is_measured_beyond_the_cache():
    import gpu_ops

    todo = gpu_ops.works("cuda", dtypes=("float32", "bfloat16"))
    assert {work.op for work in todo} == set(CASES)
    for work in todo:
        case = CASES[work.op]
        moved = case.bytes_moved(*work.sizes, dtype=work.dtype).forward_backward
        assert case.paired or moved > 2 * 60 * 2**20, work.name  # of an H200


def test_a_step_that_fails_is_told(capfd):
    import gpu

    done = [
        gpu.shell("good", [sys.executable, "-c", "print('said')"]),
        gpu.shell("bad", [sys.executable, "-c", "raise SystemExit(3)"]),
        {"step": "compute-sanitizer", "status": None, "skipped": "not found"},
    ]
    assert "said" in capfd.readouterr().out
    first, second, third = gpu.steps_table(done).splitlines()
    assert first.startswith("good: pass")
    assert second.startswith("bad: FAIL")
    assert "not found" in third


def test_measuring_on_the_cpu(tmp_path, capsys):
    import gpu

    arguments = ["--parts", "ops", "steps", "--device", "cpu", "--scale", "4000", "--seconds", "0"]
    arguments += ["--ops", "gaussian_kl", "elbo_loss", "--dtypes", "float32", "--no-compile"]
    assert gpu.main([*arguments, "--out", str(tmp_path), "--name", "try"]) == 0
    table = capsys.readouterr().out
    assert "| gaussian_kl 131 x 128 float32" in table
    assert "| MLP 784-500-20" in table
    found = json.loads((tmp_path / "try.json").read_text())["sections"]
    assert [entry["work"].split()[0] for entry in found["ops"]] == ["gaussian_kl", "elbo_loss"]
    assert all(entry["of_copy"] > 0 for entry in found["ops"])
    assert {"eager", "pyvae", "pyvae in place"} <= set(found["steps"][0]["tax"])


def test_a_wrong_op_fails_the_run_and_the_others_go_on(tmp_path, capsys):
    import gpu

    from pyvae import functional as F

    case = CASES["gaussian_kl"]
    right = case.function
    wrong = lambda **inputs: F.gaussian_kl(**inputs) + 1  # noqa: E731
    object.__setattr__(case, "function", wrong)
    try:
        arguments = ["--parts", "ops", "--device", "cpu", "--scale", "4000", "--seconds", "0"]
        arguments += ["--ops", "gaussian_kl", "elbo_loss", "--dtypes", "float32", "--no-compile"]
        assert gpu.main([*arguments, "--out", str(tmp_path), "--name", "try"]) == 1
    finally:
        object.__setattr__(case, "function", right)
    report = capsys.readouterr().out
    assert "FAILED gaussian_kl" in report
    assert "| elbo_loss" in report
