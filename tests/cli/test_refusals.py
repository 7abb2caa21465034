"""What the commands refuse: each error is one sentence and code 2, and nothing is written."""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pyvae.cli import main

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--steps", "20", "--eval-samples", "3"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--encoder", "mpl"], "unknown encoder 'mpl'; did you mean 'mlp'"),
        (["--dataset", "mnits"], "unknown dataset 'mnits'; did you mean"),
        (["--objective", "x"], "unknown objective 'x'"),
        (["--prior", "x"], "unknown prior 'x'"),
        (["--optimizer", "adamm"], "unknown optimizer 'adamm'"),
        (
            ["--encoder-args", "hiden=3"],
            "encoder 'mlp' has no option 'hiden'; did you mean 'hidden'",
        ),
        (["--encoder-args", "hidden"], "--encoder-args takes name=value pairs, got 'hidden'"),
        (["--encoder-args", "activation=rleu"], "unknown activation 'rleu'"),
        (["--objective-args", "beta=-1"], "beta must not be negative"),
        (["--objective-args", "beta=x"], "objective 'elbo': beta must be a finite number, got 'x'"),
        (["--encoder-args", "hidden=a,3"], "encoder 'mlp': hidden must be a list of whole numbers"),
        (
            ["--objective", "denoising", "--objective-args", "objective=elbo", "beta=x"],
            "objective 'elbo': beta must be a finite number, got 'x'",
        ),
        (["--likelihood", "gaussian", "--likelihood-args", "sigma=big"], "'gaussian': sigma must"),
        (["--seed", str(2**64)], "--seed must be at most"),
        (["--likelihood-args", "sigma=1"], "likelihood 'bernoulli' has no option 'sigma'"),
        (["--optimizer-args", "centered=true"], "optimizer 'adam' has no option 'centered'"),
        (["--latent-dimension", "3"], "unrecognized arguments: --latent-dimension 3"),
        (["--latent-dim", "two"], "argument --latent-dim: invalid int value: 'two'"),
        (["--latent-dim", "0"], "--latent-dim must be positive, got 0"),
        (["--epochs", "1"], "give --epochs or --steps, not both"),
        (["--binarize", "maybe"], "argument --binarize: invalid choice: 'maybe'"),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (
            ["--posterior", "categorical", "--latent-dim", "20"],
            "Priors that fit the posterior: uniform_categorical",
        ),
        (
            ["--posterior", "iaf", "--objective-args", "estimator=analytic"],
            "has no closed form here; use estimator='sampled'",
        ),
        (["--init", "zeros"], "argument --init: invalid choice: 'zeros'"),
        (["--init-std", "0"], "--init-std must be positive, got 0.0"),
        (["--posterior", "distribution", "--posterior-args", "family=Gama"], "Gamma, "),
        (["--likelihood", "discretized_logistic_mixture"], "Likelihoods that fit digits: bern"),
        (["--likelihood", "negative_binomial"], "needs library with the data, which digits"),
        (["--dataset", "none.h5"], "none.h5 does not exist"),
        (["--dataset", "toy2d", "--dataset-args", "name=rings"], "Choices: ring, two_moons"),
    ],
)
def test_bad_settings(
    tmp_path: Path, refused: Callable[..., str], arguments: list[str], said: str
) -> None:
    out = tmp_path / "run"
    assert said in refused("train", "--out", str(out), *SMALL, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_no_cuda(tmp_path: Path, refused: Callable[..., str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    said = refused("train", "--out", str(tmp_path / "run"), "--device", "cuda")
    assert "has no CUDA" in said


def test_unknown_command(refused: Callable[..., str]) -> None:
    assert "unknown command 'trian'; did you mean 'train'? Commands" in refused("trian")
    assert "the following arguments are required: RUN" in refused("evaluate")


def test_bad_data_files(tmp_path: Path, refused: Callable[..., str]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(100))[:-5])
    out = tmp_path / "run"
    train = ["train", "--out", str(out), "--data-dir", str(folder), *SMALL]
    said = refused(*train, "--dataset", "mnist")
    assert str(path) in said
    assert "expected md5 f68b3c2dcbeaaa9fbdd348bbdeb94873" in said
    assert "freyface.npz is neither in" in refused(*train, "--dataset", "freyface")
    assert not out.exists()


def test_a_run_is_not_overwritten(copy: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    before = (copy / "model.safetensors").read_bytes()
    train = ["train", "--out", str(copy), *SMALL]
    assert "holds a run already" in refused(*train)
    assert (copy / "model.safetensors").read_bytes() == before
    assert main([*train, "--overwrite", "--seed", "5"]) == 0
    assert (copy / "model.safetensors").read_bytes() != before
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    for more in ([], ["--overwrite"]):
        said = refused("train", "--out", str(mine), *SMALL, *more)
        assert "exists and is not a run folder" in said
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]


def test_no_permission_to_write(tmp_path: Path, refused: Callable[..., str]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for out in (file, file / "run", Path("/proc/pyvae/run")):
        said = refused("train", "--out", str(out), *SMALL)
        assert str(out) in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_pictures_that_cannot_be_written(
    run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert "must end in .png or .npy" in refused("sample", str(run), "--out", "x.jpg")
    target = str(tmp_path / "missing" / "x.png")
    assert "is not a folder" in refused("sample", str(run), "--out", target)
    (tmp_path / "x.npy").mkdir()
    said = refused("reconstruct", str(run), "--out", str(tmp_path / "x.npy"))
    assert "cannot write" in said


def test_a_run_folder_that_is_missing_or_cut_short(
    copy: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    for command in (["evaluate"], ["sample"], ["reconstruct"], ["train", "--resume"]):
        said = refused(*command, str(tmp_path / "nowhere"))
        assert f"{tmp_path / 'nowhere'} is not a run folder: it does not exist" in said
    assert "has no train.json" in refused("evaluate", str(tmp_path))
    names = ("model.safetensors", "config.json", "train.json")
    for name in names:
        whole = (copy / name).read_bytes()
        (copy / name).write_bytes(whole[: len(whole) // 2])
        said = refused("evaluate", str(copy))
        assert name in said
        assert "damaged" in said
        (copy / name).unlink()
        assert name in refused("sample", str(copy))
        (copy / name).write_bytes(whole)
    checkpoint = copy / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    (copy / "checkpoint-before.safetensors").unlink(missing_ok=True)  # a slow run has one
    said = refused("train", "--resume", str(copy), "--steps", "40")
    assert "checkpoint.safetensors is cut short" in said


def test_extras_that_are_not_installed(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sklearn.datasets", "lightning_fabric", "tensorboard", "matplotlib.image"):
        monkeypatch.setitem(sys.modules, module, None)
        said = refused("train", "--out", str(tmp_path / "run"), *SMALL)
        assert 'pip install "pyvae-fused[train]"' in said
        assert list(tmp_path.iterdir()) == []
        monkeypatch.undo()
