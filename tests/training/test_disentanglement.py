"""Scores of codes against known factors, and the data set that has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

import pyvae.data
from pyvae.cli import main
from pyvae.data.sets.sprites import CATEGORICAL, FACTORS
from pyvae.errors import DataError
from pyvae.metrics import Disentanglement, disentanglement, few_labels
from pyvae.metrics.factors import dci, factor_vae_score, mig, sap

pytestmark = pytest.mark.usefixtures("one_thread")

SCORES = ("mig", "sap", "disentanglement", "completeness", "informativeness")


@pytest.fixture(scope="module")
def factors() -> Tensor:
    """Those of the sprites, every combination once, in a random order."""
    whole = torch.cartesian_prod(*(torch.arange(count) for count in FACTORS.values()))
    return whole[torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))][:3000]


def rotated(z: Tensor) -> Tensor:
    """Standardised codes, each direction mixed with each other by a random rotation."""
    z = (z - z.mean(0)) / z.std(0)
    turn = torch.linalg.qr(torch.randn(z.shape[1], z.shape[1], dtype=z.dtype)).Q
    return z @ turn


def test_a_perfect_code_scores_one_noise_nothing_and_a_rotated_one_lies_between(
    factors: Tensor,
) -> None:
    torch.manual_seed(0)
    codes = factors.double()
    perfect = disentanglement(3 - 2 * codes[:, [3, 0, 2, 4, 1]], factors, CATEGORICAL)
    noise = disentanglement(torch.randn(len(codes), 5), factors, CATEGORICAL)
    turned = disentanglement(rotated(codes), factors, CATEGORICAL)
    for name in SCORES:
        best, worst, middle = (vars(found)[name] for found in (perfect, noise, turned))
        assert best == pytest.approx(1, abs=0.01), name  # by chance the next best shares a little
        assert abs(worst) < 0.06, name
        assert worst + 0.02 < middle < (0.99 if name == "informativeness" else 0.9), name
    assert perfect.factor_vae == 1
    assert noise.factor_vae < 0.35  # chance is a fifth
    assert noise.factor_vae < turned.factor_vae < 0.9


def test_further_latents_change_nothing_if_they_say_nothing(factors: Tensor) -> None:
    torch.manual_seed(0)
    codes = torch.cat([factors, torch.zeros(len(factors), 2), torch.randn(len(factors), 1)], 1)
    found = disentanglement(codes, factors, CATEGORICAL)
    for name in SCORES:
        assert vars(found)[name] == pytest.approx(1, abs=0.02), name
    assert found.factor_vae == 1


def test_two_latents_for_one_factor_leave_no_gap_but_are_disentangled(factors: Tensor) -> None:
    twice = factors[:, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]].double()
    twice += 1e-6 * torch.randn(twice.shape, generator=torch.Generator().manual_seed(0)).double()
    assert mig(twice, factors) < 0.02
    assert sap(twice, factors, CATEGORICAL) < 0.02
    disentangled, complete, informative = dci(twice, factors, CATEGORICAL)
    assert disentangled > 0.99 and informative > 0.99
    assert complete < 0.9


def test_two_factors_in_one_latent_are_complete_but_not_disentangled() -> None:
    values = torch.cartesian_prod(torch.arange(10), torch.arange(10)).repeat(10, 1)
    codes = torch.stack([values[:, 0] * 10 + values[:, 1], values[:, 0] * 0], 1)
    disentangled, complete, informative = dci(codes, values)
    assert complete > 0.99 and informative > 0.99
    assert disentangled < 0.1


def test_codes_that_do_not_vary_score_nothing(factors: Tensor) -> None:
    found = disentanglement(torch.zeros(len(factors), 3), factors, CATEGORICAL)
    assert all(vars(found)[name] == pytest.approx(0, abs=0.01) for name in SCORES)
    assert found.factor_vae == 0


def test_scores_are_those_of_their_seed_and_refuse_what_does_not_belong(factors: Tensor) -> None:
    codes = torch.randn(500, 3)
    few = factors[:500]
    assert disentanglement(codes, few, (0,), 1) == disentanglement(codes, few, (0,), 1)
    assert factor_vae_score(codes, few, 1) != factor_vae_score(codes, few, 2)
    with pytest.raises(ValueError, match="the same number of rows"):
        mig(codes, factors)
    with pytest.raises(ValueError, match="100 rows or more, got 50"):
        sap(codes[:50], factors[:50])
    with pytest.raises(ValueError, match="factor 1 has one value alone"):
        dci(codes, torch.stack([few[:, 0], torch.zeros(500)], 1))
    with pytest.raises(ValueError, match="finite"):
        mig(codes / 0, few)


# Few labels


def test_classes_far_apart_are_told_from_one_label_each() -> None:
    torch.manual_seed(0)
    y = torch.arange(300) % 3
    z = torch.randn(300, 2) * 0.1 + torch.nn.functional.one_hot(y, 3)[:, :2] * 5
    for k in (1, 10):
        found = few_labels(z, y, z, y, per_class=k)
        assert found.linear == found.neighbours == 1
    noise = few_labels(torch.randn(300, 2), y, torch.randn(3000, 2), torch.arange(3000) % 3)
    assert noise.linear == pytest.approx(1 / 3, abs=0.05)
    assert noise.neighbours == pytest.approx(1 / 3, abs=0.05)
    assert noise.linear_std > 0
    with pytest.raises(ValueError, match="two classes or more with 101 rows each, got 3"):
        few_labels(z, y, z, y, per_class=101)


# Sprites


def test_sprites_are_every_combination_once_and_no_two_alike() -> None:
    data = pyvae.data.load("sprites")
    whole = torch.cat([split.x for split in (data.train, data.valid, data.test)])
    known = torch.cat([s.extras["factors"] for s in (data.train, data.valid, data.test)])
    assert whole.shape == (6144, 1, 32, 32) and data.levels == 1
    assert whole.unique().tolist() == [0, 1]
    assert len(known.unique(dim=0)) == len(whole.unique(dim=0)) == 6144
    assert known.max(0).values.tolist() == [count - 1 for count in FACTORS.values()]
    assert data.test.y is not None and data.test.y.equal(data.test.extras["factors"][:, 0])
    edge = torch.ones(32, 32, dtype=torch.bool)
    edge[1:-1, 1:-1] = False
    assert (whole[:, 0][:, edge] == 0).all()  # nothing is cut off


def test_factors_of_sprites_are_what_they_are_called() -> None:
    data = pyvae.data.load("sprites", size=64, seed=3)
    x, known = data.test.x[:, 0].double(), data.test.extras["factors"].double()
    assert x.shape[1:] == (64, 64)
    mass = x.sum((1, 2))
    place = torch.arange(64).double()
    across, down = (x.sum(1) @ place) / mass, (x.sum(2) @ place) / mass
    for values, column in ((mass, 1), (across, 3), (down, 4)):
        both = torch.stack([values, known[:, column]])
        assert torch.corrcoef(both)[0, 1] > 0.85, column
    assert torch.equal(data.test.x, pyvae.data.load("sprites", size=64, seed=3).test.x)
    assert not torch.equal(data.test.x, pyvae.data.load("sprites", size=64, seed=4).test.x)
    with pytest.raises(DataError, match="size must be 32 or 64, got 48"):
        pyvae.data.load("sprites", size=48)


# The command


def test_evaluate_with_factors_and_few_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyvae.cli.latents.figures.ROWS", 1000)
    out = tmp_path / "run"
    small = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
    small += ["--steps", "5", "--eval-samples", "0", "--latent-dim", "3"]
    assert main(["train", "--dataset", "sprites", "--out", str(out), *small]) == 0
    more = ["--disentanglement", "--few-labels", "10", "--subset", "100"]
    capsys.readouterr()
    assert main(["evaluate", str(out), *more, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["disentanglement"]) == set(Disentanglement.__dataclass_fields__)
    assert said["few_labels"]["per_class"] == 10
    assert main(["evaluate", str(out), *more]) == 0
    table = capsys.readouterr().out
    assert "MIG" in table and "linear classifier" in table
    other = tmp_path / "points"
    points = ["--dataset", "toy2d", "--likelihood", "gaussian"]
    assert main(["train", *points, "--out", str(other), *small]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(other), "--disentanglement"]) == 2
    assert "needs data whose factors are known, such as sprites" in capsys.readouterr().err
    assert main(["evaluate", str(other), "--few-labels", "10"]) == 2
    assert "--few-labels needs data with labels" in capsys.readouterr().err
