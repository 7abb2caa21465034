"""Every kind of run and data with every command on a trained model: it works, or says why not."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import pyvae.presets  # noqa: F401  registers them
from pyvae.cli import main
from pyvae.registry import presets
from pyvae.training import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")

PRESETS = [name for name in presets.names() if not presets.is_plugin(name)]
SHORT = ["--steps", "1", "--eval-samples", "0", "--batch-size", "20", "--quiet"]
HIDDEN = ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--latent-dim", "2"]
CHANNELS = ["--encoder-args", "channels=4", "--decoder-args", "channels=4"]
CONV = ["--encoder", "conv", "--decoder", "conv", *CHANNELS, "--latent-dim", "2"]
RESNET = ["--encoder", "resnet", "--decoder", "resnet", *CHANNELS]
TOKENS = ["--encoder", "transformer", "--decoder", "transformer", "--likelihood", "categorical"]
TOKENS += ["--encoder-args", "width=8", "--decoder-args", "width=8", "levels=5"]
TOKENS += ["--likelihood-args", "levels=5", "one_hot=true", "--latent-dim", "2"]

#: Runs by what is particular to them: the data, and how they are trained.
RUNS: dict[str, tuple[str, list[str]]] = {
    "several layers": ("digits", ["--preset", "dlgm", "--batch-size", "50"]),
    "a class": ("digits", ["--preset", "m2"]),
    "a class of codes": ("digits", ["--preset", "m1m2"]),
    "an energy": ("digits", ["--preset", "rbm", "--latent-dim", "6"]),
    "bits": ("digits", ["--preset", "helmholtz"]),
    "no latents": ("digits", ["--model", "autoregressive", "--decoder", "made"]),
    "no mean of q": ("digits", [*HIDDEN, "--posterior", "iaf"]),
    "heavy tails": (
        "digits",
        [*HIDDEN, "--posterior", "distribution", "--posterior-args", "family=Cauchy"],
    ),
    "embedded": (
        "digits",
        [*HIDDEN, "--condition", "label:embedding=3", "--prior", "conditional_gaussian"],
    ),
    "counts": (
        "cells.npz",
        [*HIDDEN, "--likelihood", "zero_inflated_negative_binomial", "--condition", "label"],
    ),
    "a table": ("mixed.csv", [*HIDDEN, "--likelihood", "mixed", "--condition", "batch"]),
    "signals": (
        "signals.npy",
        ["--dataset-args", "channels=first", *CONV, "--likelihood", "gaussian"],
    ),
    "volumes": (
        "volumes.npy",
        [*RESNET, "--likelihood", "gaussian", "--model-args", "latent_shape=2,3,3,3"],
    ),
    "colour": (
        "colour.npy",
        [*RESNET, "--likelihood", "discretized_logistic", "--latent-dim", "2"],
    ),
    "tokens": ("tokens.npy", ["--dataset-args", "levels=4", *TOKENS]),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files of every kind of data."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    counts = rng.poisson(2.0, (60, 6)) + 1
    np.savez(folder / "cells.npz", x=counts, y=rng.integers(0, 2, 60))
    np.save(folder / "signals.npy", rng.normal(size=(60, 1, 24)).astype(np.float32))
    np.save(folder / "volumes.npy", rng.normal(size=(60, 1, 6, 6, 6)).astype(np.float32))
    np.save(folder / "colour.npy", rng.integers(0, 256, (60, 3, 8, 8)).astype(np.uint8))
    np.save(folder / "tokens.npy", rng.integers(0, 5, (60, 7)))
    rows = [
        f"{a:.3f},{'' if i % 7 else 1.5},{'xyz'[i % 3]},{'uv'[i % 2]}"
        for i, a in enumerate(rng.normal(size=60))
    ]
    (folder / "mixed.csv").write_text("\n".join(["a,b,kind,batch", *rows]) + "\n")
    return folder


def said_of(*arguments: str) -> str | None:
    """Why a command could not, in the one sentence that it may take; None: it could."""
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = main(list(arguments))
    if code == 0:
        return None
    assert code == 2, said.getvalue()
    (sentence,) = [line for line in said.getvalue().splitlines() if "error: " in line]
    assert re.match(r"pyvae( [\w-]+)?: error: \S+", sentence)
    return sentence


def trained(kind: str, files: Path, run: str, steps: int) -> None:
    """Train a run of a kind for a few steps."""
    data, options = RUNS[kind]
    given = ["--dataset", data if data == "digits" else str(files / data)]
    given += ["--dataset-args", "values=counts"] if kind == "counts" else []
    assert main(["train", "--out", run, *SHORT, *given, *options, "--steps", str(steps)]) == 0


@pytest.mark.parametrize("kind", ["signals", "volumes", "colour", "tokens"])
def test_every_network_resumes(kind: str, files: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(kind, files, str(whole), 3)
    trained(kind, files, str(parts), 1)
    assert main(["train", "--resume", str(parts), "--steps", "3", "--quiet"]) == 0
    weights = [(run / "model.safetensors").read_bytes() for run in (whole, parts)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("kind", RUNS)
def test_every_kind_of_run_is_encoded_scored_decoded_and_imputed(
    kind: str, files: Path, tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    trained(kind, files, run, 1)
    model = RunFolder(run).model()
    few = ["--split", "test", "--subset", "5", "--samples", "2"]
    s, z, x = (str(tmp_path / f"{name}.npy") for name in "szx")
    assert said_of("score", run, *few, "--out", s) is None
    assert np.load(s).shape == (5, 2) and np.isfinite(np.load(s)[:, 0]).all()
    said = (
        said_of("encode", run, *few[:4], "--out", z),
        said_of("decode", run, "--z", z, "--out", x),
    )
    if model.latent_dim:
        assert said == (None, None)
        assert np.load(z).shape == (5, model.latent_dim) and np.isfinite(np.load(z)).all()
        assert np.load(x).shape == (5, *model.data_shape) and np.isfinite(np.load(x)).all()
    else:
        assert all(one is not None and "has no latents; sample, score" in one for one in said)
    said_of_gaps = said_of("impute", run, *few, "--out", x)
    if "mask" in model.side_inputs:
        assert said_of_gaps is None and np.isfinite(np.load(x)).all()
    else:
        assert said_of_gaps is not None and "masked=True" in said_of_gaps
    assert said_of("compare", run, "--json") is None


@pytest.mark.recorded
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_with_every_command(name: str, grey_digits: Path, tmp_path: Path) -> None:
    grey = "discretized" in presets.create(name).get("likelihood", "")
    run, file = str(tmp_path / "run"), str(tmp_path / "a.npz")
    data = ["--dataset", str(grey_digits) if grey else "digits"]
    assert main(["train", "--preset", name, "--out", run, *data, *SHORT, "--batch-size", "50"]) == 0
    model = RunFolder(run).model()
    z, few = str(tmp_path / "z.csv"), ["--split", "test", "--subset", "4"]
    commands: list[tuple[str, list[str], Callable[[str], bool]]] = [
        ("evaluate", ["--samples", "2"], lambda said: False),
        ("sample", ["-n", "4"], lambda said: False),
        ("reconstruct", [], lambda said: False),
        ("plot", [], lambda said: False),
        ("score", [*few, "--samples", "2", "--out", z], lambda said: False),
        ("compare", ["--json"], lambda said: False),
        ("encode", [*few, "--out", z], lambda said: not model.latent_dim),
        ("decode", ["--z", z, "--out", str(tmp_path / "x.csv")], lambda said: not model.latent_dim),
        ("impute", [*few, "--out", z], lambda said: "masked=True" in said),
        ("interpolate", ["-n", "2", "--out", file], lambda said: "latents" in said),
        ("traverse", ["--out", file], lambda said: "latents" in said),
        ("manifold", ["--size", "3", "--out", file], lambda said: "latents" in said),
        ("inpaint", ["-n", "2", "--steps", "2", "--out", file], lambda said: not model.latent_dim),
        ("denoise", ["--corruption", "masking", "--out", file], lambda said: not model.latent_dim),
        ("super-resolve", ["--factor", "2", "--out", file], lambda said: not model.latent_dim),
        ("transfer", ["--condition", "label=1"], lambda said: "without conditions" in said),
    ]
    for command, options, may in commands:
        said = said_of(command, run, *options)
        assert said is None or may(said), f"{command}: {said}"
    assert json.loads((tmp_path / "run" / "results.json").read_text())["step"] == 1
