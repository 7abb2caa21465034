"""Benchmarks: nothing wrong is timed, and ``pyvae bench`` runs."""

from __future__ import annotations

import dataclasses
import json
import shutil
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

from pyvae import functional as F
from pyvae.benchmarking import (
    Contest,
    Variant,
    Work,
    WrongResultError,
    memory_of,
    race,
    run_contest,
)
from pyvae.benchmarking.launches import launched
from pyvae.benchmarking.plain import plain_of
from pyvae.cli import main
from pyvae.testing import CASES

SMALL = {"components": 4, "samples": 3, "batch": 5, "event": 19, "latent": 7, "classes": 4}


def small(op: str, **options: bool) -> Work:
    return Work(op, tuple(SMALL[name] for name in CASES[op].sizes), **options)


@pytest.mark.parametrize("name", ["eager", "pyvae"])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("op", CASES)
def test_every_op_passes_the_check(op: str, backward: bool, name: str) -> None:
    Contest(small(op, backward=backward)).check(name)


@pytest.mark.parametrize("op", ["bernoulli_log_prob", "gaussian_rsample_log_ratio", "elbo_loss"])
def test_16_bit_and_weighted_rows_pass_the_check(op: str) -> None:
    for work in (small(op, weighted=True), dataclasses.replace(small(op), dtype=torch.bfloat16)):
        for name in ("eager", "pyvae"):
            Contest(work).check(name)


def test_every_op_has_a_plain_form() -> None:
    assert not [case.name for case in CASES.values() if plain_of(case) is None]


def test_overwritten_arguments_are_made_afresh() -> None:
    contest = Contest(small("bernoulli_log_prob", inplace=True))
    before = contest.inputs["logits"].detach().clone()
    for name in ("eager", "pyvae"):
        variant = contest.variant(name)
        fresh = variant.prepare()
        variant.run(fresh)
        assert torch.equal(contest.inputs["logits"], before)
        assert torch.equal(fresh["logits"], before) == (name == "eager")


def _value_is_wrong(inputs):
    return F.bernoulli_log_prob(**inputs) + 0.01


def _gradient_is_wrong(inputs):
    logits = inputs["logits"]
    return F.bernoulli_log_prob(inputs["x"], logits) + 0.01 * (logits - logits.detach()).sum(-1)


def _not_finite(inputs):
    return F.bernoulli_log_prob(**inputs) * torch.nan


def _shape_is_wrong(inputs):
    return F.bernoulli_log_prob(**inputs)[:, None]


@pytest.mark.parametrize("wrong", [_value_is_wrong, _gradient_is_wrong, _not_finite])
def test_a_wrong_result_is_not_timed(wrong) -> None:
    contest = Contest(small("bernoulli_log_prob"), {"wrong": wrong})
    with pytest.raises(WrongResultError, match="of wrong differs from the float64 reference"):
        contest.variant("wrong")


def test_a_wrong_shape_is_not_timed() -> None:
    work = small("bernoulli_log_prob", backward=False)
    with pytest.raises(WrongResultError, match="in shape"):
        Contest(work, {"wrong": _shape_is_wrong}).variant("wrong")


def test_a_wrong_sample_is_not_timed() -> None:
    def wrong(inputs):
        return F.gaussian_rsample(**{**inputs, "seed": inputs["seed"] + 1})

    with pytest.raises(WrongResultError, match="a result of wrong"):
        Contest(small("gaussian_rsample"), {"wrong": wrong}).variant("wrong")


def test_race_shuffles_and_prepares_each_call() -> None:
    calls = []
    variants = {
        name: Variant(lambda made: calls.append(made), lambda name=name: [name]) for name in "abc"
    }
    times = race(variants, seconds=0, min_rounds=50, warmup=0)
    assert {len(t.seconds) for t in times.values()} == {50}
    rounds = ["".join(made[0] for made in calls[i : i + 3]) for i in range(0, 150, 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) == 6


def test_memory_counts_what_is_kept_and_what_is_not() -> None:
    x = torch.zeros(1000)
    kept, extra = memory_of(lambda _: (x + x) + x)
    assert (kept, extra) == (4000, 4000)
    kept, extra = memory_of(lambda _: x.clone().add_(x))
    assert (kept, extra) == (4000, 0)


def test_results_are_fit_for_json() -> None:
    work = small("gaussian_kl")
    result = run_contest(work, seconds=0, leave_out={"compile": "not now"})
    data = json.loads(json.dumps(result.to_dict()))
    assert data["skipped"] == {"compile": "not now"}
    assert set(data["times_us"]) == {"eager", "pyvae", "pyvae again", "copy"}
    assert data["ratio"]["eager"] > 0
    # mean, logvar and the result; again, with the result's gradient; two gradients
    assert data["bytes_moved"] == 4 * (2 * (2 * 35 + 5) + 2 * 35)


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--scale", "100", "--seconds", "0", "--no-compile"]
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert "bernoulli_log_prob 40 x 784 float32" in table
    assert "compile: left out" in table
    assert main([*arguments, "--ops", "elbo_loss", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [op["work"] for op in content["ops"]] == ["elbo_loss 40 x 784 x 64 float32"]
    assert content["machine"]["torch"] == torch.__version__
    assert main(["bench", "--ops", "nonsense"]) == 2
    assert "unknown op 'nonsense'" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_variant_is_checked_too() -> None:
    Contest(small("gaussian_kl")).check("compile")


def test_without_a_compiler_compile_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", lambda f, **_: broken)
    assert main(["bench", "--scale", "100", "--seconds", "0", "--ops", "elbo_loss"]) == 0
    assert "No working C++ compiler found" in capsys.readouterr().out


class Event(NamedTuple):
    """As the profiler has them, with methods."""

    where: str
    what: str

    def device_type(self) -> SimpleNamespace:
        return SimpleNamespace(name=self.where)

    def name(self) -> str:
        return self.what


def test_launches_are_what_the_device_does() -> None:
    kernels = [Event("CUDA", "void pyvae::device::map_kernel"), Event("CUDA", "Memset (Device)")]
    others = [Event("CPU", "cudaLaunchKernel"), Event("CUDA", "Context Sync")]
    assert launched([*others, *kernels]) == 2
    result = run_contest(small("gaussian_kl"), seconds=0, leave_out={"compile": "not now"})
    assert result.launches == {}  # of a CPU


def test_large_inputs_may_be_drawn_elsewhere() -> None:
    """On a device that is no CPU: of a CPU they are those of every test."""
    case = CASES["elbo_loss"]
    for name, value in case.inputs(drawn_on="cpu").items():
        assert not torch.is_tensor(value) or torch.equal(value, case.inputs()[name])
