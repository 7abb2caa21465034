"""Training that is no longer finite: noticed soon, said with what helps, and never saved."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.models.base import Model
from pyvae.objectives import ELBO, Batch, Result
from pyvae.registry import objectives
from pyvae.training import RunFolder, Trainer, build
from pyvae.training.guard import EVERY, FiniteGuard, NotFiniteError
from pyvae.training.saving import SaveClock

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--eval-samples", "0", "--log-every", "1000"]


class Breaking(ELBO):
    """The ELBO, of which something is no longer finite from a step on."""

    at: int | None = None
    how: str = "kl"
    interrupt: int | None = None
    steps = 0

    def step_begin(self, step: int, epoch: int) -> None:
        Breaking.steps = step + 1
        if step == Breaking.interrupt:
            signal.raise_signal(signal.SIGINT)

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        result = super().forward(model, batch, phase=phase)
        if Breaking.at is None or Breaking.steps < Breaking.at:
            return result
        if Breaking.how == "gradient":  # a finite loss whose gradient is not
            zero = next(model.parameters()).flatten()[0] * 0
            return Result(result.loss + 0 * zero.sqrt(), result.terms)
        terms = {**result.terms, Breaking.how: torch.tensor(math.inf)}
        terms["elbo"] = torch.tensor(-math.inf)
        return Result(result.loss * math.inf, terms)


if "test_breaking" not in objectives.names():
    objectives.register("test_breaking")(Breaking)


@pytest.fixture(autouse=True)
def _whole(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    Breaking.at = Breaking.interrupt = None
    Breaking.how, Breaking.steps = "kl", 0


def train(out: Path, *more: str) -> int:
    return main(["train", "--out", str(out), "--objective", "test_breaking", *SMALL, *more])


def finite(path: Path) -> bool:
    return all(bool(t.isfinite().all()) for t in load_file(path).values() if t.is_floating_point())


@pytest.mark.parametrize("how", ["kl", "log_likelihood", "gradient"])
def test_it_is_noticed_within_a_few_steps_and_the_last_finite_state_stays(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SaveClock, "due", lambda self: True)  # at each step
    run, Breaking.at, Breaking.how = tmp_path / "run", 40, how
    more = ["--lr-milestones", "1", "--lr", "0.002", "--steps", "100000"]  # 15 steps an epoch
    assert train(run, *more) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    step = 41 if how == "gradient" else 40
    if how != "gradient":
        assert f"at step {step} {how} (inf) is the first term that is not finite" in said
    assert "under a learning rate of 0.0002." in said
    assert f"The state after {step - 1 if how != 'gradient' else 39} steps is kept" in said
    assert f"pyvae train --resume {run} --lr 0.0002" in said
    assert Breaking.steps <= 40 + EVERY
    for name in ("model", "checkpoint"):
        assert finite(run / f"{name}.safetensors")
    assert main(["evaluate", str(run)]) == 0
    capsys.readouterr()
    Breaking.at = None
    resume = ["train", "--resume", str(run), "--quiet", "--steps", "60"]
    assert main([*resume, "--lr", "0.01"]) == 2
    assert "--lr is 0.002 in the run that is resumed and can only become smaller" in (
        capsys.readouterr().err
    )
    assert main([*resume, "--lr", "0.0002"]) == 0
    record = json.loads((run / "train.json").read_text())
    assert record["settings"]["lr"] == 0.0002
    (change,) = record["changes"]
    assert change["lr"] == [0.002, 0.0002] and change["step"] == 39


def test_without_saves_in_between_it_is_noticed_as_soon(tmp_path: Path) -> None:
    Breaking.at = 21
    assert train(tmp_path / "run", "--steps", "100000", "--eval-every", "100000") == 2
    assert 21 <= Breaking.steps <= 21 + EVERY


def test_before_any_save_there_is_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SaveClock, "due", lambda self: False)
    run, Breaking.at = tmp_path / "run", 20
    assert train(run, "--steps", "60") == 2
    assert "No trained state had been saved yet" in capsys.readouterr().err
    assert not (run / "model.safetensors").exists()
    assert main(["evaluate", str(run)]) == 2
    assert "has no trained model yet" in capsys.readouterr().err
    Breaking.at = None
    assert main(["train", "--resume", str(run), "--lr", "1e-5", "--quiet"]) == 0
    assert main(["evaluate", str(run)]) == 0


@pytest.mark.parametrize("how", ["kl", "gradient"])
def test_ctrl_c_after_a_nan_saves_nothing(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SaveClock, "due", lambda self: False)
    run, Breaking.at, Breaking.how = tmp_path / "run", 20, how
    Breaking.interrupt = 19  # the step that breaks is the last one
    assert train(run, "--steps", "60") == 2
    assert "training has diverged: at step 20 " in capsys.readouterr().err
    assert finite(run / "checkpoint.safetensors")
    assert not (run / "model.safetensors").exists()


def test_a_gradient_that_breaks_in_the_last_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, Breaking.at, Breaking.how = tmp_path / "run", 20, "gradient"
    assert train(run, "--steps", "20") == 2
    assert "at step 20 " in capsys.readouterr().err
    assert not (run / "results.json").exists()


def test_a_rate_that_is_far_too_high(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--steps", "400", "--optimizer", "sgd", "--lr", "1e30"]
    assert main(["train", "--out", str(tmp_path / "run"), *SMALL, *more]) == 2
    said = capsys.readouterr().err
    assert "training has diverged" in said and "under a learning rate of 1e+30" in said


def test_the_guard_names_the_part_before_its_sums() -> None:
    guard = FiniteGuard()
    names = ("loss", "elbo", "log_likelihood", "kl")
    good, bad = torch.ones(4), torch.tensor([math.nan, math.nan, 1.0, -math.inf])
    for step in range(1, EVERY):
        guard.add(step, names, good if step < 5 else bad)
        guard.look()
    guard.add(EVERY, names, bad)
    with pytest.raises(NotFiniteError, match=r"^kl \(-inf\)$") as error:
        guard.look()
    assert error.value.step == 5
    guard.add(9, names, torch.tensor([math.nan, 1.0, 1.0, 1.0]))
    guard.look()
    with pytest.raises(NotFiniteError, match=r"^loss \(nan\)$"):
        guard.look(wait=True)
    guard.look(wait=True)


class Later:
    """A CUDA event as the guard sees it, which the test lets happen."""

    done = False

    def query(self) -> bool:
        return Later.done

    def synchronize(self) -> None:
        Later.done = True


def test_the_guard_does_not_wait_for_what_has_not_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, copy = FiniteGuard(), FiniteGuard._copy

    def slow(self: FiniteGuard) -> None:
        copy(self)
        rows, first, _ = self._copied  # type: ignore[misc]
        event: Any = Later()
        self._copied = rows, first, event

    monkeypatch.setattr(FiniteGuard, "_copy", slow)
    Later.done = False
    for step in range(1, 4 * EVERY):
        guard.add(step, ("kl",), torch.tensor([math.nan if step == 3 else 1.0]))
        guard.look()
    Later.done = True
    with pytest.raises(NotFiniteError) as error:
        guard.look()
    assert error.value.step == 3


def test_saves_cost_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("pyvae.training.saving.time.monotonic", lambda: now[0])

    def share(cost: float) -> tuple[float, float]:
        """The part of the time that goes into saves, and the longest time between two."""
        clock, spent, begun, last, longest = SaveClock(), 0.0, now[0], now[0], 0.0
        for _ in range(100_000):
            now[0] += 0.01
            if clock.due():
                longest, last = max(longest, now[0] - last), now[0]
                with clock.saving():
                    now[0] += cost
                spent += cost
        return spent / (now[0] - begun), longest

    assert share(0.01)[0] < 0.021 and share(0.01)[1] < 2
    assert share(0.2)[0] < 0.021
    assert share(2.0)[1] < 33  # a big model is saved 30 s after its last save all the same


def test_only_finite_states_are_saved(tmp_path: Path) -> None:
    config = TrainConfig(steps=3, encoder_args={"hidden": [4]}, decoder_args={"hidden": [4]})
    parts, folder = build(config), RunFolder(tmp_path / "run")
    trainer = Trainer(config, parts, folder, quiet=True)
    folder.create(config, parts.model, {}, state=trainer.state.capture())
    with torch.no_grad():
        weight = parts.model.get_parameter("encoder.layers.0.weight")
        assert isinstance(weight, nn.Parameter)
        weight[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"encoder.layers.0.weight is the first"):
        trainer.save()
    assert finite(folder.checkpoint)
    folder.release()
