"""Looking into the latents: projections, who is in use, rate against distortion."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import pyvae
from pyvae import VAE
from pyvae.analysis import project, usage
from pyvae.cli import main
from pyvae.models import HelmholtzMachine

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--eval-samples", "0"]


def test_projections() -> None:
    torch.manual_seed(0)
    groups = torch.arange(60) % 3
    z = torch.randn(60, 6) * 0.1
    z[:, :3] += 5 * torch.nn.functional.one_hot(groups, 3)
    assert torch.equal(project(z, "none"), z[:, :2])
    for method in ("pca", "tsne"):
        points = project(z, method)  # type: ignore[arg-type]
        assert points.shape == (60, 2)
        centres = torch.stack([points[groups == g].mean(0) for g in range(3)])
        nearest = torch.cdist(points, centres).argmin(1)
        assert torch.equal(nearest, groups), method
        assert torch.equal(project(z, method), points)  # type: ignore[arg-type]
    assert project(z, "pca").var(0).sum() > 0.95 * z.var(0).sum()
    with pytest.raises(ValueError, match=r"two latents or more, got \(60, 1\)"):
        project(z[:, :1])
    with pytest.raises(ValueError, match="method must be one of none, pca, tsne, umap"):
        project(z, "mds")  # type: ignore[arg-type]


def test_umap_where_it_is_installed() -> None:
    pytest.importorskip("umap", reason='pip install "pyvae-fused[umap]"')
    assert project(torch.randn(50, 4), "umap").shape == (50, 2)


def test_use_of_latents_is_their_kl_and_whether_they_vary(linear_gaussian) -> None:
    torch.manual_seed(0)
    model, truth = linear_gaussian(exact=True, latents=3)
    with torch.no_grad():  # the last latent says nothing
        model.posterior.linear.weight[2] = 0
        model.posterior.linear.bias[[2, 5]] = 0
    x = truth.sample((2000,))
    found = usage(model, x)
    q = model.encode(x)
    kl = 0.5 * (q.mean.square() + q.variance - 1 - q.variance.log()).mean(0)
    assert torch.allclose(found.kl, kl.detach())
    assert torch.allclose(found.variance, q.mean.var(0, correction=0))
    assert found.active.tolist() == [True, True, False]
    assert found.kl[2].abs() < 1e-12
    with pytest.raises(ValueError, match="not one latent at a time"):
        usage(VAE((5,), 3, posterior="full_gaussian", likelihood="gaussian"), x.float())
    with pytest.raises(ValueError, match="not one latent at a time"):
        usage(HelmholtzMachine((1, 2, 2), (3, 2)), torch.zeros(4, 1, 2, 2))


def test_plot_draws_what_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    run = tmp_path / "run"
    short = ["--steps", "20", "--latent-dim", "4"]
    assert main(["train", "--out", str(run), *SMALL, *short]) == 0
    capsys.readouterr()
    assert main(["plot", str(run), "--latents", "pca", "tsne", "none", "--kl"]) == 0
    names = ["latents_pca.png", "latents_tsne.png", "latents_none.png", "kl.png"]
    assert capsys.readouterr().out.split() == [str(run / name) for name in names]
    for name in names:
        assert (run / name).read_bytes()[:4] == b"\x89PNG"
    assert "such as sprites" in refused("plot", str(run), "--factors")
    assert "invalid choice: 'mds'" in refused("plot", str(run), "--latents", "mds")
    other = tmp_path / "other"
    full = ["--posterior", "full_gaussian", *short]
    assert main(["train", "--out", str(other), *SMALL, *full]) == 0
    said = refused("plot", str(other), "--latents", "none", "--kl")
    assert "not one latent at a time" in said
    assert not (run / "factors.png").exists() and not (other / "latents_none.png").exists()


def test_rate_falls_and_distortion_rises_with_beta(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "curve"
    longer = [*SMALL, "--steps", "300", "--batch-size", "50"]
    command = ["rate-distortion", "--betas", "0.1", "10", "--out", str(out), *longer, "--json"]
    assert main(command) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == json.loads((out / "rate_distortion.json").read_text())
    assert [row["beta"] for row in rows] == [10, 0.1]  # by their rate
    assert rows[0]["rate"] < rows[1]["rate"] and rows[0]["distortion"] > rows[1]["distortion"]
    for row in rows:
        results = json.loads((Path(row["run"]) / "results.json").read_text())
        assert results["rate"] == row["rate"]
        settings = json.loads((Path(row["run"]) / "train.json").read_text())["settings"]
        assert settings["objective_args"] == {"beta": row["beta"]}
    assert (out / "rate_distortion.png").read_bytes()[:4] == b"\x89PNG"
    before = [(Path(row["run"]) / "results.json").stat().st_mtime_ns for row in rows]
    assert main(command) == 0  # nothing is trained again
    assert before == [(Path(row["run"]) / "results.json").stat().st_mtime_ns for row in rows]
    other, runs = tmp_path / "collected", [row["run"] for row in rows]
    assert main(["rate-distortion", *runs, "--out", str(other)]) == 0
    assert (other / "rate_distortion.png").exists()
    assert "distortion" in capsys.readouterr().out


def test_an_unfinished_run_of_the_curve_goes_on(
    tmp_path: Path, stop_at: Callable[[int], None]
) -> None:
    out = tmp_path / "curve"
    command = ["rate-distortion", "--betas", "2", "--out", str(out), *SMALL, "--steps", "20"]
    stop_at(5)
    assert main(command) == 130
    assert not (out / "rate_distortion.json").exists()
    assert main(command) == 0
    assert json.loads((out / "rate_distortion.json").read_text())[0]["beta"] == 2


def test_a_curve_by_two_processes(tmp_path: Path) -> None:
    """They are started for each run; standard output holds nothing but the JSON."""
    out = tmp_path / "a b"
    command = ["rate-distortion", "--betas", "0.5", "--out", str(out), *SMALL, "--json"]
    command += ["--devices", "2", "--steps", "9", "--batch-size", "40", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "pyvae", *command],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(pyvae.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [row["beta"] for row in json.loads(done.stdout)] == [0.5]
    record = json.loads((out / "beta-0.5" / "train.json").read_text())
    assert record["settings"]["devices"] == 2
    assert record["settings"]["objective_args"] == {"beta": 0.5}
    assert "rate, KL(q(z|x) || p(z))" in done.stderr  # the table of the run


def test_other_processes_of_a_curve_get_all_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words that they are started with say what was said here, and the next beta."""
    from pyvae.cli import train

    seen: list[Any] = []
    monkeypatch.setattr(train, "run", lambda given: seen.append(given) or 3)
    settings = ["--lr", "1e-3", "--compile", "--ema", "0.99", "--steps", "7", "--devices", "2"]
    settings += ["--lr-milestones", "3", "5", "--encoder-args", "hidden=8,4", "activation=tanh"]
    objective = ["--objective-args", "warmup=10"]
    command = [
        "rate-distortion",
        "--betas",
        "1e-05",
        "--out",
        str(tmp_path),
        "--preset",
        "beta_vae",
    ]
    assert main([*command, *settings, *objective]) == 3
    (given,) = seen
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    words = given.command_line[1:]
    assert given.command_line[0] == "train"
    again = vars(parser.parse_args(words))
    assert {name: value for name, value in vars(given).items() if name != "command_line"} == again
    wanted = vars(parser.parse_args([*settings, "--objective-args", "warmup=10", "beta=1e-05"]))
    wanted |= {"preset": "beta_vae", "out": str(tmp_path / "beta-1e-05")}
    assert again == wanted
    run = tmp_path / "beta-1e-05"
    run.mkdir()
    (run / "train.json").touch()  # it was interrupted
    assert main([*command, "--quiet"]) == 3
    assert seen[-1].command_line == ["train", "--quiet", f"--resume={run}"]


def test_a_curve_is_called_once(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["rate-distortion", "--betas", "2", "--out", str(tmp_path / "curve"), *SMALL]
    assert "without torchrun, srun and --num-nodes" in refused(*command, "--num-nodes", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    said = refused(*command, "--devices", "2")
    assert "starts the processes of each run itself" in said
    assert "got --devices 2 --num-nodes 1" in said
    assert not (tmp_path / "curve").exists()


def test_what_the_curve_refuses(tmp_path: Path, refused: Callable[..., str]) -> None:
    out = str(tmp_path / "curve")
    neither = ["rate-distortion", "--out", out]
    assert "give --betas to train with, or the runs" in refused(*neither)
    said = refused(*neither, "--betas", "2", "--objective", "iwae")
    assert "objective 'iwae' has no option 'beta'" in said
    assert "is not a run folder" in refused("rate-distortion", "none", "--out", out)
    assert list(tmp_path.iterdir()) == []
