"""Training: what a run's numbers depend on, and what they do not; stopping and taking up again."""

from __future__ import annotations

import csv
import json
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
from pyvae.objectives import ELBO, Batch, Phase, Result
from pyvae.registry import objectives
from pyvae.training import RunFolder, StopRequest, Trainer, build

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--eval-samples", "3", "--log-every", "4"]


class Stopping(ELBO):
    """The ELBO, which asks to stop at a step, or at the n-th encoding after it."""

    at: int | None = None

    def step_begin(self, step: int, epoch: int) -> None:
        if step == Stopping.at:
            Stopping.at = None
            signal.raise_signal(signal.SIGINT)


class TwoPlayers(Stopping):
    """The ELBO, and a network of its own that learns, in turn, to predict the labels."""

    def bind(self, model: Model) -> None:
        self.player = nn.Linear(model.latent_dim, 10)

    def phases(self, model: Model) -> list[Phase]:
        own = list(self.player.parameters())
        return [Phase("model", list(model.parameters())), Phase("player", own, betas=(0.5, 0.9))]

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        if phase != "player":
            return super().forward(model, batch)
        assert isinstance(batch, Batch)
        assert batch.y is not None
        logits = self.player(
            model.encode(batch.x).rsample()
        )  # the gradient reaches the encoder too
        loss = nn.functional.cross_entropy(logits, batch.y)
        return Result(loss, {"cross_entropy": loss.detach()})


for name, part in (("test_stopping", Stopping), ("test_two_players", TwoPlayers)):
    if name not in objectives.names():
        objectives.register(name)(part)


@pytest.fixture(autouse=True)
def _alone(one_thread: None) -> Iterator[None]:
    yield
    Stopping.at = None


def train(out: Path, *more: str) -> int:
    return main(["train", "--out", str(out), *SMALL, *more])


def weights(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model.safetensors")


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def same_run(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    equal = all(torch.equal(first[name], second[name]) for name in first)
    figures = [json.loads((run / "results.json").read_text()) for run in (a, b)]
    return equal and rows(a) == rows(b) and figures[0] == figures[1]


def test_a_run_depends_on_its_seed_alone(tmp_path: Path) -> None:
    for name, seed, noise in (("a", "1", 0), ("b", "1", 7), ("c", "2", 0)):
        torch.manual_seed(noise)
        assert train(tmp_path / name, "--steps", "20", "--seed", seed) == 0
    assert same_run(tmp_path / "a", tmp_path / "b")
    assert not torch.equal(*(weights(tmp_path / n)["decoder.layers.0.weight"] for n in ("a", "c")))


def test_evaluating_in_between_changes_nothing(tmp_path: Path) -> None:
    assert train(tmp_path / "a", "--steps", "20", "--eval-every", "100") == 0
    assert train(tmp_path / "b", "--steps", "20", "--eval-every", "3") == 0
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("stop_at", [0, 7, 15, 22])
@pytest.mark.parametrize(
    "more",
    [
        "--objective test_stopping",
        "--objective test_two_players --lr-milestones 1 --optimizer rmsprop "
        "--optimizer-args centered=true momentum=0.5",
    ],
    ids=["adam", "two players with rmsprop"],
)
def test_a_resumed_run_equals_one_in_one_go(
    tmp_path: Path, more: str, stop_at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--steps", "34", *more.split()]  # 15 steps are an epoch
    assert train(tmp_path / "whole", *options) == 0
    Stopping.at = stop_at
    assert train(tmp_path / "parts", *options) == 130
    said = capsys.readouterr().err
    assert f"pyvae train --resume {tmp_path / 'parts'}" in said
    assert not (tmp_path / "parts" / "results.json").exists()
    torch.manual_seed(99)
    assert main(["train", "--resume", str(tmp_path / "parts"), "--quiet"]) == 0
    assert same_run(tmp_path / "whole", tmp_path / "parts")
    assert int(rows(tmp_path / "parts")[-1]["step"]) == 34


def test_stopping_during_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(tmp_path / "whole", "--steps", "20") == 0
    from pyvae.training import validation

    evaluate = validation.evaluate_split

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(validation, "evaluate_split", interrupted)
    assert train(tmp_path / "parts", "--steps", "20") == 130
    monkeypatch.undo()
    assert main(["train", "--resume", str(tmp_path / "parts"), "--quiet"]) == 0
    assert same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_run_that_was_killed_before_its_first_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path / "whole", "--steps", "20") == 0

    def killed(trainer: Trainer) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Trainer, "_train_step", killed)
        train(tmp_path / "parts", "--steps", "20")
    assert main(["train", "--resume", str(tmp_path / "parts"), "--quiet"]) == 0
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


def test_a_finished_run_can_be_trained_further(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "whole", "--steps", "30") == 0
    assert train(tmp_path / "parts", "--steps", "15") == 0
    again = ["train", "--quiet", "--resume", str(tmp_path / "parts")]
    assert main(again) == 2
    assert "is complete (15 steps)" in capsys.readouterr().err
    assert main([*again, "--lr", "0.5"]) == 2
    assert "--lr is 0.001 in the run that is resumed" in capsys.readouterr().err
    assert main([*again, "--steps", "30"]) == 0
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_each_phase_changes_its_own_parameters_only(tmp_path: Path) -> None:
    def model_after(objective: str) -> tuple[dict[str, Tensor], Trainer]:
        config = TrainConfig(objective=objective, steps=5, encoder_args={"hidden": [16]})
        parts = build(config)
        folder = RunFolder(tmp_path / objective)
        folder.create(config, parts.model, {})
        trainer = Trainer(config, parts, folder, quiet=True)
        before = [p.detach().clone() for p in parts.objective.parameters()]
        trainer.fit(StopRequest())
        after = list(parts.objective.parameters())
        assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
        return dict(parts.model.state_dict()), trainer

    _, trainer = model_after("test_two_players")
    betas = {n: o.param_groups[0]["betas"] for n, o in trainer.engine.optimizers.items()}
    assert betas == {"model": (0.9, 0.999), "player": (0.5, 0.9)}
    assert set(rows(tmp_path / "test_two_players")[-1]) >= {
        "train/loss_model",
        "train/loss_player",
        "train/cross_entropy",
        "train/elbo",
    }


def test_no_step_waits_for_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(optimizer="sgd", steps=50)
    parts = build(config)
    folder = RunFolder(tmp_path / "run")
    folder.create(config, parts.model, {})
    trainer = Trainer(config, parts, folder, quiet=True)
    trainer._train_step()

    def waits(*_: object) -> None:
        raise AssertionError("a step reads a value")

    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "numpy"):
        monkeypatch.setattr(Tensor, name, waits)
    for _ in range(20):  # past the end of an epoch
        trainer._train_step()
    monkeypatch.undo()
    assert trainer.state.means.count == 21
