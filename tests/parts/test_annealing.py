"""Annealed importance sampling, by itself and over the latents of a model."""

import json

import pytest
import torch
from torch.testing import assert_close

from pyvae import VAE, registry
from pyvae.cli import main
from pyvae.metrics import ais_log_likelihood
from pyvae.models import RBM, HelmholtzMachine
from pyvae.models.annealing import annealed_importance_sampling, log_mean

F64 = torch.float64


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_weights_of_chains_are_those_of_a_table():
    """Of a density over 3 states, from uniform: E w is the ratio of the constants."""
    target = torch.tensor([0.2, 3.0, 1.1], dtype=F64)

    def log_density(x, beta):
        return beta * target.log()[x]

    def move(x, beta):
        return torch.multinomial(target**beta, len(x), replacement=True)

    x = torch.randint(3, (20_000,))
    log_w = annealed_importance_sampling(x, log_density, move, [0.0, 0.3, 0.6, 1.0])
    assert log_mean(log_w).exp() == pytest.approx(target.sum().item() / 3, rel=0.03)
    for betas in ([0.0, 1.0, 0.5], [0.1, 1.0], [0.0, 0.9], [0.0], []):
        with pytest.raises(ValueError, match="betas must rise from 0 to 1, got"):
            annealed_importance_sampling(x, log_density, move, betas)


# ... and over the latents of a VAE


def test_annealing_finds_the_marginal_of_a_linear_vae(linear_gaussian):
    """Within 0.02 nats, with a posterior that knows nothing."""
    model, truth = linear_gaussian(exact=False)
    x = truth.sample((16,))
    found = ais_log_likelihood(model, x, steps=200, chains=32)
    assert (found - truth.log_prob(x)).mean().abs() < 0.02
    assert (found - truth.log_prob(x)).abs().max() < 0.3
    few = ais_log_likelihood(model, x, steps=3, chains=1)
    assert few.mean() < truth.log_prob(x).mean()


def test_annealing_goes_row_by_row_and_takes_side_inputs(linear_gaussian, monkeypatch):
    model, truth = linear_gaussian(exact=False)
    monkeypatch.setattr("pyvae.models.capacity.BUDGET", 4 * 4 * 5 * 3)  # three rows at a time
    x = truth.sample((7,))
    found = ais_log_likelihood(model, x, steps=100, chains=4)
    assert found.shape == (7,) and (found - truth.log_prob(x)).abs().max() < 0.7
    assert ais_log_likelihood(model, x[:0]).shape == (0,)
    counts = VAE((4,), 2, likelihood="negative_binomial").double()
    side = {"library": torch.full((3,), 8.0, dtype=F64)}
    y = torch.randint(5, (3, 4))
    assert ais_log_likelihood(counts, y, steps=3, chains=2, side=side).isfinite().all()


def test_what_annealing_over_latents_takes():
    x = torch.zeros(2, 1, 4, 4)
    density = registry.models.create("autoregressive", data_shape=(1, 4, 4), decoder="made")
    assert_close(ais_log_likelihood(density, x, steps=2), density.log_prob(x).detach())
    for model in (HelmholtzMachine((1, 4, 4), (3,)), RBM((1, 4, 4), 3)):
        with pytest.raises(
            TypeError, match=r"moves real numbers by gradients, and those of .* are"
        ):
            ais_log_likelihood(model, x)
    with pytest.raises(ValueError, match="steps, chains and leapfrog must be at least 1, got 0"):
        ais_log_likelihood(VAE((1, 4, 4), 2), x, steps=0)


def test_annealing_from_the_command_line(tmp_path, capsys, one_thread):
    run, small = tmp_path / "run", ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8"]
    small += ["--eval-samples", "0", "--steps", "2", "--quiet", "--out", str(run)]
    assert main(["train", *small]) == 0
    capsys.readouterr()
    command = ["evaluate", str(run), "--subset", "5", "--ais", "8", "--ais-chains", "3"]
    assert main([*command, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert -60 < first["ais_log_likelihood"] < -10 and first["ais_error"] > 0
    assert main(command) == 0
    said = f"8 temperatures and 3 chains: {first['ais_log_likelihood']:.2f} +- "
    assert said in capsys.readouterr().out
