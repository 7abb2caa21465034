"""Minibatches of few rows: the last one of an epoch may have one alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from pyvae import VAE, registry
from pyvae.batch import Batch
from pyvae.cli import main
from pyvae.data import Batches
from pyvae.objectives import ELBO, Denoising, FullVB

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = [name for name in registry.objectives.names() if not registry.objectives.is_plugin(name)]
NAMES = [name for name in NAMES if registry.objectives.get(name).models is None]  # takes a VAE
OPTIONS = {
    "aae": ["hidden=8"],
    "factor_vae": ["hidden=8"],
    "infovae": ["unbiased=true"],
    "mmd_vae": ["unbiased=true"],
    "tc_vae": ["estimator=mss"],
    "denoising": ["objective=mmd_vae", "unbiased=true", "corruption=gaussian"],
    "full_vb": ["objective=infovae", "unbiased=true"],
}


@pytest.fixture(scope="module")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """161 rows, of which 129 are for training: 128 and one more."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path_factory.mktemp("data") / "x.h5"
    with h5py.File(path, "w") as file:
        file["X"] = torch.randn(161, 5).numpy()
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_last_minibatch_of_one_row(name: str, reals: Path, tmp_path: Path) -> None:
    command = ["train", "--dataset", str(reals), "--dataset-args", "values=real"]
    command += ["--likelihood", "gaussian", "--latent-dim", "2", "--batch-size", "128"]
    command += ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--objective", name]
    command += ["--epochs", "3", "--eval-samples", "0", "--quiet", "--out", str(tmp_path / "run")]
    options = ["--objective-args", *OPTIONS[name]] if name in OPTIONS else []
    assert main([*command, *options]) == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert math.isfinite(results["elbo"])
    compared = name in ("factor_vae", "infovae", "mmd_vae", "tc_vae", "denoising", "full_vb")
    assert results["step"] == (3 if compared else 6)


@pytest.mark.parametrize("smallest", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [5, 8, 9, 10, 11])
def test_every_row_is_seen_once_an_epoch(rows: int, smallest: int) -> None:
    batches = Batches(Batch(torch.arange(rows)), 5, seed=0, smallest=smallest)
    for epoch in range(3):
        sizes, seen = [], []
        for _ in range(batches.steps_per_epoch):
            assert batches.epoch == epoch
            x = batches.next().x
            sizes.append(len(x))
            seen += x.tolist()
        assert sorted(seen) == list(range(rows))
        assert min(sizes) >= smallest and max(sizes) < 5 + smallest
        assert batches.position == 0


def test_too_few_rows_are_said(reals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="at least 2 rows, got 9 rows in batches of 1"):
        Batches(Batch(torch.arange(9)), 1, seed=0, smallest=2)
    command = ["train", "--objective", "mmd_vae", "--batch-size", "1", "--steps", "3"]
    assert main(command) == 2
    assert "a batch must have at least 2 rows" in capsys.readouterr().err


def test_wrappers_need_what_their_inner_objective_needs() -> None:
    for wrapper in (Denoising, FullVB):
        assert wrapper(objective="tc_vae").min_rows == 2
        assert wrapper(objective="elbo").min_rows == 1
        assert wrapper(objective="elbo", warm_up_steps=9).notes(5, 1) == ELBO(
            warm_up_steps=9
        ).notes(5, 1)


def test_a_warm_up_that_is_longer_than_the_run() -> None:
    (said,) = ELBO(beta=4.0, warm_up_steps=100).notes(51, 3)
    assert said == "the warm-up takes 100 steps and the run has 51 steps: beta will reach 2, not 4"
    (said,) = ELBO(warm_up_epochs=10).notes(30, 3)
    assert "takes 10 epochs and the run has 3 epochs: beta will reach 0.2, not 1" in said
    (said,) = ELBO(capacity=25.0, warm_up_steps=50).notes(11, 1)
    assert "capacity will reach 5, not 25" in said
    (said,) = ELBO(warm_up_steps=10, warm_up_from=0.5).notes(6, 1)
    assert "beta will reach 0.75, not 1" in said
    assert ELBO(warm_up_steps=50).notes(51, 1) == ELBO(warm_up_epochs=2).notes(90, 3) == []
    assert ELBO().notes(1, 1) == []
    objective = ELBO(beta=4.0, warm_up_steps=100)
    objective.step_begin(50, 2)
    assert objective.kl_weight.progress * 4 == 2  # what was said is what is reached


def test_the_warm_up_is_said_before_the_run_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--objective-args", "warm_up_epochs=10", "--steps", "3"]
    command += ["--eval-samples", "0", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("pyvae: note: the warm-up takes 10 epochs and the run has 1 epoch: ")


def test_one_row_of_objectives_that_compare_none() -> None:
    model = VAE((5,), 2, likelihood="gaussian")
    for name in NAMES:
        objective = registry.objectives.create(name)
        objective.data_size = 100
        objective.bind(model)
        if objective.min_rows > 1:
            continue
        for phase in objective.phases(model):
            result = objective(model, torch.randn(1, 5), phase=phase.name)
            assert result.loss.isfinite(), name
