"""Data of any scale: what is said of it, and what ``standardize`` does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pyvae import VAE
from pyvae.cli import main
from pyvae.likelihoods import GaussianLikelihood, LaplaceLikelihood
from pyvae.training import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--eval-samples", "0"]
SMALL += ["--latent-dim", "2", "--steps", "30", "--likelihood"]
CENTRE, SPREAD = 2e4, 1e4


def rows(n: int = 300) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=generator) @ torch.randn(4, 4, generator=generator)
    x = CENTRE + SPREAD * x
    x[:, 3] = 7.0  # a constant
    return x


@pytest.fixture
def data(tmp_path: Path) -> str:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["X"] = rows().numpy()
    return str(tmp_path / "x.h5")


def train(data: str, out: Path, *more: str) -> int:
    return main(["train", "--dataset", data, "--dataset-args", "values=real", "--out", str(out),
                 *SMALL, *more])  # fmt: skip


@pytest.mark.parametrize("name", ["gaussian", "laplace"])
def test_the_scale_is_named_and_standardizing_offered(
    name: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(data, tmp_path / "a", name, "--lr", "1e-5")
    said = capsys.readouterr().err
    assert "the training data have a mean of 1." in said and "e+04" in said
    assert "--likelihood-args standardize=true would suit them" in said
    assert train(data, tmp_path / "b", name, "--likelihood-args", "standardize=true") == 0
    assert "note" not in capsys.readouterr().err


def test_grey_levels_as_real_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["X"] = torch.randint(0, 256, (300, 16)).float().numpy()
    train(str(tmp_path / "x.h5"), tmp_path / "a", "gaussian", "--lr", "1e-5")
    said = capsys.readouterr().err
    assert "have a mean of 12" in said and "root mean square of 14" in said
    assert "standardize=true" in said


def test_divergence_blames_the_scale_too(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--optimizer", "sgd", "--lr", "0.1", "--quiet"]
    assert train(data, tmp_path / "a", "gaussian", *more) == 2
    said = capsys.readouterr().err
    assert "training has diverged" in said and "standardize=true" in said
    assert "under a learning rate of 0.1" in said


def test_data_of_unit_scale_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--dataset", "toy2d", "--steps", "3", "--eval-samples", "0", "--likelihood", "gaussian"]
    assert main(["train", *more, "--latent-dim", "2", "--out", str(tmp_path / "a")]) == 0
    assert "note" not in capsys.readouterr().err


def test_outputs_are_on_the_scale_of_the_data(data: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    more = ["--likelihood-args", "standardize=true", "variance=learned", "--lr", "1e-2", "--quiet"]
    assert train(data, run, "gaussian", *more, "--steps", "400") == 0
    model = RunFolder(run).model()
    assert isinstance(model.likelihood, GaussianLikelihood)
    shift = model.likelihood.shift
    assert shift is not None and shift.shape == (4,) and shift[3] == 7.0
    assert (shift[:3] - CENTRE).abs().max() < SPREAD
    x = rows()
    error = (model.reconstruct(x) - x)[:, :3].std()
    assert error < x[:, :3].std()
    assert main(["sample", str(run), "-n", "200", "--draw", "--out", str(run / "s.npy")]) == 0
    drawn = torch.from_numpy(np.load(run / "s.npy"))
    assert torch.allclose(drawn[:, :3].std(0), x[:, :3].std(0), rtol=0.5)
    assert (drawn.mean(0) - x.mean(0)).abs().max() < SPREAD
    results = json.loads((run / "results.json").read_text())
    assert -60 < results["elbo"] < -15  # nats of the data as they are: near 3 log(1e4) and more


@pytest.mark.parametrize("kind", [GaussianLikelihood, LaplaceLikelihood])
@pytest.mark.parametrize("spread", ["fixed", "learned", "per_pixel"])
def test_densities_are_those_of_the_data_by_the_change_of_variables(kind, spread) -> None:
    """log p(x) = log p((x - m) / s) - sum log s."""
    option = {GaussianLikelihood: "variance", LaplaceLikelihood: "scale"}[kind]
    plain = kind((4,), **{option: spread})
    standard = kind((4,), **{option: spread}, standardize=True)
    mean, std = torch.tensor([1.0, -2e4, 3.0, 0.0]), torch.tensor([1e-3, 1e4, 1.0, 0.0])
    standard.init_from_statistics(mean, std)
    unit = torch.where(std > 0, std, torch.ones(()))
    params, z = torch.randn(6, *plain.param_shape), torch.randn(6, 4)
    x = mean + unit * z
    expected = plain(params).log_prob(z) - unit.log().sum()
    torch.testing.assert_close(standard(params).log_prob(x), expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(standard(params).mean, mean + unit * plain(params).mean)
    torch.testing.assert_close(standard.as_input(x, torch.float32), z, rtol=1e-2, atol=2e-3)
    start = standard.init_from_mean(mean)
    assert start is not None
    torch.testing.assert_close(standard(start).mean, mean)


def test_statistics_are_saved_with_the_model(tmp_path: Path) -> None:
    options = {"standardize": True}
    vae = VAE((4,), 2, likelihood="gaussian", likelihood_args=options)
    vae.likelihood.init_from_statistics(torch.arange(4.0), torch.full((4,), 3.0))
    vae.save_pretrained(tmp_path)
    again = VAE.from_pretrained(tmp_path)
    x = torch.randn(5, 4)
    assert torch.equal(again.encode(x).mean, vae.encode(x).mean)
    assert not any(name.endswith(("shift", "unit")) for name in VAE((4,), 2).state_dict())


def test_standardizing_fits_no_bounded_mean() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        GaussianLikelihood((4,), mean="sigmoid", standardize=True)
