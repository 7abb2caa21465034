"""The command line: what it writes, prints and returns."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import pyvae
from pyvae.cli import main
from pyvae.registry import priors

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--steps", "20", "--eval-samples", "3"]

pytestmark = pytest.mark.usefixtures("one_thread")


def test_run_folder_is_complete(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    pictures = {"samples.png", "reconstructions.png", "manifold.png", "curve.png"}
    files = {"config.json", "model.safetensors", "train.json", "metrics.csv", "results.json"}
    assert names >= pictures | files | {"checkpoint.safetensors"}
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert not any(name.startswith(".") for name in names)
    for name in pictures:
        assert (run / name).read_bytes()[:4] == b"\x89PNG"
    assert not any(b"pickle" in path.read_bytes()[:200] for path in run.iterdir())
    vae = pyvae.VAE.from_pretrained(run)
    assert vae.sample(2).shape == (2, 1, 8, 8)


def test_evaluate_equals_what_training_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    kept = json.loads((run / "results.json").read_text())
    assert kept.pop("step") == 20
    assert figures == kept
    assert main(["evaluate", str(run), "--split", "valid", "--samples", "0"]) == 0
    table = capsys.readouterr().out
    assert "digits, valid (180 data" in table
    assert "ELBO" in table
    assert "log p(x)," not in table
    for name in ("rate, KL", "distortion", "mutual information", "total correlation"):
        assert name in table


def test_sample_and_reconstruct(run: Path, tmp_path: Path) -> None:
    for command, name in (("sample", "a.png"), ("reconstruct", "b.png")):
        assert main([command, str(run), "-n", "7", "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    out = tmp_path / "values.npy"
    assert main(["sample", str(run), "-n", "7", "--out", str(out), "--seed", "3"]) == 0
    values = np.load(out)
    assert values.shape == (7, 1, 8, 8)
    assert 0 < values.min() < values.max() < 1
    assert main(["sample", str(run), "-n", "7", "--out", str(out), "--seed", "3"]) == 0
    assert np.array_equal(values, np.load(out))
    assert main(["sample", str(run), "-n", "7", "--out", str(out), "--draw"]) == 0
    assert set(np.unique(np.load(out))) == {0.0, 1.0}
    assert main(["reconstruct", str(run), "-n", "5", "--out", str(out)]) == 0
    assert np.load(out).shape == (5, 1, 8, 8)


def test_list_names_every_part_and_plugins(
    capsys: pytest.CaptureFixture[str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    monkeypatch.setitem(priors.broken, "bad", "the plugin bad:Prior could not be loaded")
    monkeypatch.setattr(priors, "is_plugin", lambda name: name == "standard_normal")
    monkeypatch.setattr(priors, "origin", lambda name: "some-package")
    assert main(["list"]) == 0
    said = capsys.readouterr()
    for name in ("mlp", "conv", "bernoulli", "elbo", "binarized_mnist", "digits"):
        assert f"  {name} " in said.out
    assert said.out.count("[plugin of some-package]") == 1
    assert "could not be loaded" in said.err
    assert main(["list", "priors"]) == 0
    assert "encoders" not in capsys.readouterr().out
    assert "Choices: encoders" in refused("list", "prior")


def test_info_says_what_is_in(capsys: pytest.CaptureFixture[str]) -> None:
    from pyvae import _native

    capsys.readouterr()
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["torch"] == torch.__version__
    assert torch.__version__ in found["built for torch"].split(", ")
    assert found["instruction set"] == _native.instruction_set()
    assert found["cuda kernels"] in ("yes", "no")
    assert main(["info"]) == 0


@pytest.mark.parametrize(
    "capability, precision, tf32",
    [
        ((9, 0), "highest", "matrix products no, convolutions yes"),
        ((8, 0), "high", "matrix products yes, convolutions yes"),
        ((7, 5), "high", "not on this device"),
    ],
)
def test_info_says_what_a_gpu_rounds(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], precision: str, tf32: str
) -> None:
    from pyvae.cli.info import facts

    assert facts()["tf32"] == "no cuda device" or torch.cuda.is_available()
    assert facts()["bfloat16"].endswith("(CPU)") or torch.cuda.is_available()
    asked = {
        "is_available": lambda: True,
        "get_device_name": lambda: "a GPU",
        "get_device_capability": lambda: capability,
        "is_bf16_supported": lambda including_emulation: capability >= (8, 0),
    }
    for name, answer in asked.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: precision)
    found = facts()
    assert (found["cuda device"], found["tf32"]) == ("a GPU", tf32)
    assert found["bfloat16"].startswith("in hardware" if capability >= (8, 0) else "emulated")


def test_help_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "evaluate" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["train", "--help"])
    assert left.value.code == 0
    assert "--encoder-args" in capsys.readouterr().out


def test_default_folder_is_a_free_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *SMALL]) == 0
    assert main(["train", *SMALL]) == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"digits", "digits-2"}


def test_other_parts_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--likelihood", "gaussian", "--likelihood-args", "variance=learned", "sigma=0.5"]
    more += ["--prior", "diagonal_gaussian", "--encoder", "conv", "--decoder", "conv"]
    more += ["--objective-args", "estimator=sampled", "num_samples=2", "--latent-dim", "3"]
    out = tmp_path / "run"
    small = ["--steps", "5", "--eval-samples", "0", "--quiet", "--init-output"]
    assert main(["train", "--out", str(out), *small, *more]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["bits_per_dim"] is None  # a density has no bits
    assert results["log_likelihood"] is None
    assert not (out / "manifold.png").exists()
    config = json.loads((out / "config.json").read_text())
    assert (config["encoder"], config["likelihood_args"]["sigma"]) == ("conv", 0.5)


@pytest.mark.parametrize(
    "parts",
    [
        ["--posterior", "iaf", "--prior", "vampprior"],
        ["--prior", "vampprior"],
        ["--posterior", "categorical", "--prior", "uniform_categorical", "--latent-dim", "20"],
        ["--posterior", "planar", "--prior", "flow"],
        ["--likelihood", "categorical", "--likelihood-args", "levels=17"],
    ],
    ids=lambda parts: parts[1],
)
def test_parts_that_need_more_than_names(tmp_path: Path, parts: list[str]) -> None:
    out = tmp_path / "run"
    small = ["--steps", "3", "--eval-samples", "2", "--quiet"]
    assert main(["train", "--out", str(out), *small, *parts]) == 0
    assert main(["evaluate", str(out), "--samples", "2", "--subset", "20"]) == 0
    assert main(["sample", str(out), "-n", "4"]) == 0
    assert main(["reconstruct", str(out), "-n", "4"]) == 0
    assert main(["train", "--resume", str(out), "--steps", "4", "--quiet"]) == 0


def test_bits_of_grey_levels(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    small = ["--steps", "3", "--eval-samples", "2", "--quiet", "--batch-size", "20"]
    train = ["train", "--dataset", "freyface", "--data-dir", str(data_dir), "--out", str(out)]
    assert main([*train, *small, "--likelihood", "discretized_logistic_mixture"]) == 0
    results = json.loads((out / "results.json").read_text())
    bits = -results["log_likelihood"] / (28 * 20 * math.log(2))
    assert results["bits_per_dim"] == pytest.approx(bits)
    assert 3 < bits < 9  # eight are those of levels that nothing is known about
    assert "bits per dimension" in capsys.readouterr().out
    assert (out / "samples.png").exists()


def test_another_model(tmp_path: Path, refused: Callable[..., str]) -> None:
    out = tmp_path / "run"
    small = ["--steps", "5", "--eval-samples", "2", "--quiet", "--out", str(out)]
    machine = ["train", "--model", "helmholtz", "--model-args", "hidden=6,4", *small]
    assert main([*machine, "--objective", "wake_sleep", "--init-output"]) == 0
    assert json.loads((out / "config.json").read_text())["hidden"] == [6, 4]
    assert main(["evaluate", str(out), "--samples", "2"]) == 0
    for command in ("sample", "reconstruct"):
        assert main([command, str(out), "--out", str(tmp_path / "a.png")]) == 0
    small[-1] = str(tmp_path / "other")
    machine = ["train", "--model", "helmholtz", *small]
    assert "'helmholtz' does not take --encoder" in refused(*machine, "--encoder", "conv")
    assert "does not take --latent-dim" in refused(*machine, "--latent-dim", "3")
    assert "does not take --prior-args" in refused(*machine, "--prior-args", "a=1")
    assert "posterior with rsample" in refused(*machine, "--objective", "iwae")
    assert "unknown model 'helmholz'" in refused("train", "--model", "helmholz", *small)
    assert not (tmp_path / "other").exists()


def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "pyvae", "train", "--out", str(out), "--steps", "1000000"]
    process = subprocess.Popen(
        [*command, "--log-every", "1"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(pyvae.__file__).parents[1],
    )
    deadline = time.monotonic() + 60
    while not (out / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"continue with: pyvae train --resume {out}" in said
    assert "Traceback" not in said
    assert (out / "checkpoint.safetensors").exists()
    assert main(["evaluate", str(out), "--samples", "0"]) == 0


def test_evaluate_on_other_data_of_the_same_size(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    out = tmp_path / "run"
    where = ["--dataset", "binarized_mnist", "--data-dir", str(data_dir)]
    assert main(["train", "--out", str(out), *SMALL, *where, "--batch-size", "64"]) == 0
    small = ["--subset", "50", "--json", "--samples", "2"]
    capsys.readouterr()
    assert main(["evaluate", str(out), *small, "--dataset", "mnist"]) == 0
    assert json.loads(capsys.readouterr().out)["dataset"] == "mnist"
    said = refused("evaluate", str(out), "--dataset", "freyface")
    assert "freyface has data of shape (1, 28, 20), the model takes (1, 28, 28)" in said
