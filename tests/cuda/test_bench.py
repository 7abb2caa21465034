"""bench/gpu.py in pieces, on the CPU: what it would run, what it measures and what it writes."""

from __future__ import annotations

import json
import os
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
        if set(case.sizes) <= {"samples", "batch"}:  # a number for each row: any cache holds them
            continue
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


def arguments_of(*words: str):
    import gpu

    return gpu.parser().parse_args(["--device", "cpu", *words])


def test_modules_are_the_installed_ones(capfd):
    """In the folder of the sources, where Python would take those."""
    import gpu

    assert gpu.module("info", "pyvae", "info")["status"] == 0
    assert "built for torch" in capfd.readouterr().out
    code = "import sys; raise SystemExit('' in sys.path)"
    assert gpu.shell("path", [sys.executable, "-c", code])["status"] == 0


def test_the_build_asks_no_network_and_takes_one_architecture(monkeypatch):
    import gpu

    asked = []
    monkeypatch.setattr(gpu, "shell", lambda name, command, **more: asked.append((command, more)))
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    gpu.build(arguments_of("--archs", "90"))
    command, environment = asked[0]
    assert "--no-build-isolation" in command
    assert environment["CMAKE_ARGS"] == "-DPYVAE_CUDA=ON -DPYVAE_CUDA_ARCHS=90"
    monkeypatch.setattr(gpu, "device_arch", lambda: "80")
    gpu.build(arguments_of())
    assert asked[2][1]["CMAKE_ARGS"].endswith("-DPYVAE_CUDA_ARCHS=80")
    monkeypatch.setenv("CMAKE_ARGS", "-DPYVAE_ISAS=portable")  # what was given goes along
    gpu.build(arguments_of())
    assert asked[4][1]["CMAKE_ARGS"].startswith("-DPYVAE_ISAS=portable -DPYVAE_CUDA=ON ")


def test_the_tests_run_those_of_the_device(monkeypatch, capfd):
    """Without one they skip, and say why; those of nvcc are slow, and are run all the same."""
    import gpu

    real, asked = gpu.module, []
    monkeypatch.setattr(gpu, "module", lambda *words, **more: asked.append(words))
    gpu.tests(arguments_of())
    step = real(*asked[0], "-k", "noise")
    assert step["status"] == 0
    assert "needs a CUDA device" in capfd.readouterr().out
    collected = real(*asked[1], "--collect-only")
    assert collected["status"] == 0
    assert "deselected" not in capfd.readouterr().out


def test_the_sanitizer_runs_every_op(monkeypatch, tmp_path, capfd):
    """With a stand-in for the tool, which runs what comes after its options."""
    import gpu

    tool = tmp_path / "compute-sanitizer"
    tool.write_text(
        '#!/bin/sh\nwhile [ "$1" != "-m" ]; do last=$1; echo "option $1"; shift; done\n'
        'exec "$last" "$@" --ops gaussian_kl bernoulli_log_prob\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(gpu, "TOOLS", ("racecheck",))
    (step,) = gpu.sanitize(arguments_of())
    said = capfd.readouterr().out
    assert step["status"] == 0, said
    assert {"option racecheck", "option --error-exitcode", "option kns=pyvae"} <= set(
        said.splitlines()
    )
    assert said.count("@entry") == 2 * 2 * 2
    monkeypatch.setattr("lease.stages.find_tool", lambda name: None)
    assert gpu.sanitize(arguments_of())[0]["skipped"] == "not found"
