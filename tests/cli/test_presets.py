"""Presets and objectives through the command line: all that is registered trains and resumes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pyvae.presets
from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.fitting.runs import resume, start
from pyvae.presets import with_preset
from pyvae.registry import objectives, presets
from pyvae.training import Interrupted, RunFolder, StopRequest, Trainer, build

pytestmark = pytest.mark.usefixtures("one_thread")

PRESETS = [name for name in presets.names() if not presets.is_plugin(name)]
OBJECTIVES = [name for name in objectives.names() if objectives.origin(name) == "pyvae"]
SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--eval-samples", "0", "--batch-size", "500"]


def model_for(name: str) -> str:
    """A model that the objective trains."""
    return (objectives.get(name).models or ("vae",))[0]


def small(name: str) -> list[str]:
    """A small model that the objective trains, if it has networks at all."""
    model = model_for(name)
    return ["--model", model, *(SMALL[4:] if model == "rbm" else SMALL)]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_resumes_and_loads(
    name: str,
    tmp_path: Path,
    grey_digits: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_at: Callable[[int], None],
) -> None:
    """As it is, but for the data, the number of steps and the size of the batch."""
    monkeypatch.setattr("pyvae.training.report.TILES", 10)
    out = tmp_path / "run"
    grey = "discretized" in presets.create(name).get("likelihood", "")
    shorter = [
        "--dataset",
        str(grey_digits) if grey else "digits",
        "--steps",
        "3",
        "--batch-size",
        "50",
        "--log-every",
        "1",
    ]
    shorter += ["--eval-samples", "2", "--quiet", "--out", str(out)]
    assert main(["train", "--preset", name, *shorter]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["step"] == 3
    assert all(math.isfinite(results[key]) for key in ("elbo", "kl", "log_likelihood"))
    kept = json.loads((out / "train.json").read_text())["settings"]
    preset = presets.create(name)
    for key in preset.keys() - {"dataset", "dataset_args", "epochs", "steps", "batch_size"}:
        assert kept[key] == json.loads(json.dumps(preset[key])), key
    assert TrainConfig.from_dict(preset).dataset in ("digits", "mnist", "binarized_mnist")
    stop_at(1)
    parts = in_parts(RunFolder(out).config(), tmp_path / "parts")
    assert_same(load_file(out / "checkpoint.safetensors"), load_file(parts.checkpoint))
    loaded = RunFolder(out).model()
    loaded.save_pretrained(tmp_path / "saved")
    again = type(loaded).from_pretrained(tmp_path / "saved")
    assert_same(again.state_dict(), parts.model().state_dict())


def in_parts(config: TrainConfig, path: Path) -> RunFolder:
    """A run that is stopped once and goes on in another trainer, without its final figures."""
    stopped = start(config, [path], quiet=True)
    with StopRequest() as stop, pytest.raises(Interrupted):
        stopped.fit(stop)
    stopped.folder.release()
    torch.manual_seed(99)
    with StopRequest() as stop:
        resumed = resume(RunFolder(path), {}, quiet=True)
        resumed.fit(stop)
    resumed.folder.release()
    return resumed.folder


def assert_same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    """Bitwise."""
    assert one.keys() == other.keys()
    assert not [key for key in one if not torch.equal(one[key], other[key])]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_resumes(name: str, tmp_path: Path, stop_at: Callable[[int], None]) -> None:
    """Bitwise: weights and whatever else the run ends with."""
    options = [*small(name), "--objective", name, "--steps", "8"]
    if name == "contrastive_divergence":
        options += ["--objective-args", "persistent=true"]
    if name in ("aae", "factor_vae"):
        options += ["--objective-args", "hidden=16"]
    if name == "elbo":
        options += ["--objective-args", "estimator=reinforce", "warm_up_steps=6"]
    assert main(["train", "--out", str(tmp_path / "whole"), *options]) == 0
    stop_at(4)
    assert main(["train", "--out", str(tmp_path / "parts"), *options]) == 130
    torch.manual_seed(99)
    assert main(["train", "--resume", str(tmp_path / "parts"), "--quiet"]) == 0
    assert_same(
        *(load_file(tmp_path / run / "checkpoint.safetensors") for run in ("whole", "parts"))
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_step_waits_for_the_device(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"hidden": [8]} if name in ("aae", "factor_vae") else {}
    hidden = {"hidden": [8]}
    networks = {"encoder_args": hidden, "decoder_args": hidden}
    if name == "contrastive_divergence":
        own, networks = {"persistent": True}, {}
    config = TrainConfig(
        objective=name, model=model_for(name), objective_args=own, optimizer="sgd", **networks
    )
    parts = build(config)
    folder = RunFolder(tmp_path / "run")
    folder.create(config, parts.model, {})
    trainer = Trainer(config, parts, folder, quiet=True)
    trainer._train_step()

    def waits(*_: object) -> None:
        raise AssertionError("a step reads a value")

    for method in ("item", "tolist", "__bool__", "__float__", "__int__", "numpy"):
        monkeypatch.setattr(torch.Tensor, method, waits)
    for _ in range(3):
        trainer._train_step()
    monkeypatch.undo()
    assert trainer.state.means.count == 4


def test_what_is_given_counts(tmp_path: Path) -> None:
    iwae = with_preset("iwae", {})
    assert (iwae["objective_args"], iwae["epochs"]) == ({"num_samples": 50}, 3280)
    given = {"objective_args": {"num_samples": 5, "estimator": "dreg"}, "lr": 1.0, "steps": 9}
    changed = with_preset("iwae", given)
    assert changed["objective_args"] == {"num_samples": 5, "estimator": "dreg"}
    assert changed["lr"] == 1.0 and changed["steps"] == 9 and "epochs" not in changed
    assert changed["encoder_args"] == iwae["encoder_args"]
    other = with_preset("iwae", {"objective": "elbo", "encoder": "conv", "optimizer": "sgd"})
    assert other["objective_args"] == other["encoder_args"] == other["optimizer_args"] == {}
    same = with_preset("iwae", {"objective": "iwae", "encoder": "mlp"})
    assert same == {**iwae, "encoder": "mlp"}
    with_args = with_preset("iwae", {"objective": "elbo", "objective_args": {"beta": 2.0}})
    assert with_args["objective_args"] == {"beta": 2.0}
    assert TrainConfig.from_dict(with_preset("beta_vae_capacity", {"epochs": 3})).steps is None
    assert with_preset("iwae", {}) == iwae  # and none of this has changed the preset


def test_presets_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "presets"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in PRESETS)
    out = tmp_path / "run"
    assert main(["train", "--preset", "iwea", "--out", str(out)]) == 2
    assert "unknown preset 'iwea'; did you mean 'iwae'" in capsys.readouterr().err
    assert main(["train", "--resume", str(out), "--preset", "iwae"]) == 2
    assert "--preset and --config do not fit" in capsys.readouterr().err
    assert main(["train", "--preset", "helmholtz", "--latent-dim", "3", "--out", str(out)]) == 2
    assert "'helmholtz' does not take --latent-dim" in capsys.readouterr().err
    assert not out.exists()
    assert pyvae.presets.__all__ == ["with_preset"]
