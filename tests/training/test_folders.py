"""Run folders: what they hold is enough to go on, from everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_runs import SMALL

from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.errors import UserError
from pyvae.training import RunFolder, build

pytestmark = pytest.mark.usefixtures("one_thread")


def test_initial_weights_are_no_trained_model(tmp_path: Path, refused: Callable[..., str]) -> None:
    config = TrainConfig(encoder_args={"hidden": [4]}, decoder_args={"hidden": [4]})
    parts, folder = build(config), RunFolder(tmp_path / "run")
    folder.create(config, parts.model, {}, state=({"a": torch.zeros(1)}, {"step": 0}))
    folder.release()
    for command in ("evaluate", "sample", "reconstruct", "plot"):
        said = refused(command, str(folder.path))
        assert "has no trained model yet" in said and f"--resume {folder.path}" in said


def test_what_is_recorded_of_changes(run: Path) -> None:
    assert main(["train", "--resume", str(run), "--steps", "9", "--lr", "1e-4", "--quiet"]) == 0
    record = json.loads((run / "train.json").read_text())
    assert record["settings"]["lr"] == 1e-4
    assert record["changes"] == [{"step": 6, "steps": [6, 9], "lr": [1e-3, 1e-4]}]
    assert {"pyvae", "torch", "data"} <= record.keys()


def matrix_file(path: Path, shift: float = 0.0) -> Path:
    h5py = pytest.importorskip("h5py")
    x = torch.randn(161, 5, generator=torch.Generator().manual_seed(0))
    x[7, 3] += shift
    with h5py.File(path, "w") as file:
        file["X"] = x.numpy()
    return path


REALS = ["--dataset-args", "values=real", "--likelihood", "gaussian", "--latent-dim", "2"]


def test_data_that_changed_are_noticed(tmp_path: Path, refused: Callable[..., str]) -> None:
    data, run = matrix_file(tmp_path / "x.h5"), str(tmp_path / "run")
    assert main(["train", "--dataset", str(data), *REALS, "--out", run, *SMALL]) == 0
    more = ["train", "--resume", run, "--quiet", "--steps"]
    assert main([*more, "8"]) == 0
    matrix_file(data, shift=0.5)
    for command in ([*more, "9"], ["evaluate", run], ["reconstruct", run, "--out", "x.npy"]):
        said = refused(*command)
        assert "the data x are not those" in said and "--ignore-fingerprints" in said
    assert main([*more, "9", "--ignore-fingerprints"]) == 0
    assert main(["evaluate", run, "--ignore-fingerprints"]) == 0
    assert main(["evaluate", run, "--dataset-args", "values=real", "x=X"]) == 0  # named on purpose


def test_a_run_is_found_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    matrix_file(tmp_path / "x.h5")
    assert main(["train", "--dataset", "x.h5", *REALS, "--out", "run", *SMALL]) == 0
    settings = json.loads((tmp_path / "run" / "train.json").read_text())["settings"]
    assert settings["dataset"] == str(tmp_path / "x.h5")
    monkeypatch.chdir("/")
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert main(["train", "--resume", str(tmp_path / "run"), "--steps", "8", "--quiet"]) == 0
    monkeypatch.chdir(tmp_path)
    again = ["train", "--resume", "run", "--dataset", "x.h5", "--steps", "9", "--quiet"]
    assert main(again) == 0


def counts_file(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    x = torch.poisson(torch.full((60, 5), 3.0), generator=torch.Generator().manual_seed(0)) + 1
    with h5py.File(path, "w") as file:
        file["X"] = x.numpy()
    return path


@pytest.mark.parametrize("kind", ["digits", "counts"])
def test_a_run_folder_alone_is_enough_to_sample(
    kind: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    import numpy as np

    data, run = tmp_path / "c.h5", str(tmp_path / "run")
    more: list[str] = []
    if kind == "counts":
        more = ["--dataset", str(counts_file(data)), "--likelihood", "negative_binomial"]
    assert main(["train", *more, "--out", run, *SMALL]) == 0
    out = ["--out", str(tmp_path / "z.npy"), "-n", "7"]
    assert main(["sample", run, *out]) == 0
    whole = np.load(tmp_path / "z.npy")
    if kind == "counts":
        assert main(["sample", run, *out, "--dataset", str(data)]) == 0
        assert np.array_equal(np.load(tmp_path / "z.npy"), whole)
        data.unlink()
    assert main(["sample", run, *out]) == 0
    assert np.array_equal(np.load(tmp_path / "z.npy"), whole)
    model = RunFolder(run).model()
    side = {name: value[:3] for name, value in RunFolder(run).test_side(model).items()}
    z = model.encode(torch.ones(3, *model.data_shape)).mean
    assert model.decode(z, **side).mean.shape == (3, *model.data_shape)
    if kind == "counts":
        assert main(["plot", run]) == 0
        (tmp_path / "run" / "side_inputs.safetensors").unlink()
        assert "samples need library" in refused("sample", run, *out)


def test_pictures_can_be_drawn_again(
    run: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    pictures = {path.name: path.read_bytes() for path in run.glob("*.png")}
    assert len(pictures) == 4
    for path in run.glob("*.png"):
        path.unlink()
    assert f"pyvae plot {run}" in refused("train", "--resume", str(run))
    assert main(["plot", str(run)]) == 0
    assert {path.name: path.read_bytes() for path in run.glob("*.png")} == pictures
    (run / "metrics.csv").unlink()
    (run / "samples.png").unlink()
    capsys.readouterr()
    assert main(["plot", str(run)]) == 0
    said = capsys.readouterr()
    assert "curve.png: metrics.csv is missing" in said.err and "samples.png" in said.out
    assert (run / "samples.png").read_bytes() == pictures["samples.png"]


def test_settings_that_cannot_be_built_are_said_before_anything_is_written(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    said = refused("train", "--latent-dim", "1000000000", "--out", str(tmp_path / "run"))
    assert "parameters, which take" in said and "GiB of memory" in said
    with pytest.raises(UserError, match="parameters, which take"):
        build(TrainConfig(encoder_args={"hidden": [10**6, 10**6]}))
    assert list(tmp_path.iterdir()) == []


def test_weights_of_a_run_are_those_of_its_checkpoint(run: Path) -> None:
    weights, state = (load_file(run / f"{n}.safetensors") for n in ("model", "checkpoint"))
    assert all(torch.equal(value, state[f"losses/model.{n}"]) for n, value in weights.items())
