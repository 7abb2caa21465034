"""InfoVAE between the ELBO and the MMD-VAE, and what its divergence sees."""

import pytest
import torch
from torch import nn

import pyvae.presets  # noqa: F401  registers them
from pyvae import VAE
from pyvae.config import TrainConfig
from pyvae.distributions import DiagonalGaussian
from pyvae.objectives import ELBO, MMDVAE, InfoVAE
from pyvae.registry import presets
from pyvae.training import build

D, N = 2, 5


@pytest.fixture
def x():
    return torch.randn(64, N, dtype=torch.float64)


def loss_with(objective, model, x):
    torch.manual_seed(1)
    return objective(model, x).loss


def test_it_is_the_elbo_and_the_mmd_vae_at_its_ends(linear_gaussian, x):
    model, _ = linear_gaussian(exact=False)
    torch.testing.assert_close(
        loss_with(InfoVAE(alpha=0.0, lambda_=1.0), model, x), loss_with(ELBO(), model, x)
    )
    a = loss_with(MMDVAE(lambda_=7.0), model, x)
    terms = InfoVAE(alpha=1.0, lambda_=7.0)(model, x).terms
    assert set(terms) == {"log_likelihood", "mmd"}
    torch.testing.assert_close(a, loss_with(InfoVAE(1.0, 7.0), model, x))


def test_the_weights(linear_gaussian, x):
    model, _ = linear_gaussian(exact=False)
    result = InfoVAE(alpha=0.25, lambda_=4.0, unbiased=True, estimator="sampled")(model, x)
    terms = result.terms
    expected = 0.75 * terms["kl"] + 3.25 * terms["mmd"] - terms["log_likelihood"]
    torch.testing.assert_close(result.loss, expected)
    torch.testing.assert_close(terms["elbo"], terms["log_likelihood"] - terms["kl"])


class Shifted(nn.Module):
    """q(z|x) = N(shift, 1) for every x."""

    def __init__(self, latents):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(latents))

    def forward(self, features):
        mean = self.shift.expand(len(features), -1)
        return DiagonalGaussian(mean, 0.0, event_ndim=1, validate_args=False)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
@pytest.mark.parametrize("latents", [2, 40])
def test_the_divergence_vanishes_where_q_is_p_and_pulls_there(kernel, latents):
    model = VAE((N,), latents, posterior=Shifted(latents), likelihood="gaussian")
    objective = MMDVAE(kernel=kernel, unbiased=True)
    x = torch.zeros(1000, N)
    assert abs(objective(model, x).terms["mmd"]) < 5e-3
    found = []
    for shift in (0.5, 1.0, 2.0):
        nn.init.constant_(model.posterior.shift, shift)
        terms = objective(model, x)
        found.append(terms.terms["mmd"].item())
        (grad,) = torch.autograd.grad(objective(model, x).loss, model.posterior.shift)
        assert (grad > 0).all()  # downhill is towards 0
    assert 0.02 < found[0] < found[1] < found[2]  # for any number of latents: scales grow with it


class Point(nn.Module):
    """A deterministic posterior."""

    def forward(self, features):
        class Delta(torch.distributions.Distribution):
            has_rsample = True

            def rsample(self, sample_shape=()):
                return features.expand(*sample_shape, *features.shape)

        return Delta(features.shape[:1], features.shape[1:], validate_args=False)


def test_the_mmd_vae_needs_no_density():
    model = VAE((N,), 256, posterior=Point())
    x = torch.rand(3, N)
    assert MMDVAE()(model, x).loss.isfinite()
    with pytest.raises(TypeError, match=r"infovae needs a posterior .* densities.*got .*Delta"):
        InfoVAE()(model, x)
    with pytest.raises(TypeError, match=r"infovae: KL\(Delta \|\| StandardNormal\) has no closed"):
        InfoVAE(estimator="analytic")(model, x)


def test_the_weights_unless_given_and_those_of_the_presets():
    assert (InfoVAE().alpha, MMDVAE().alpha) == (0.0, 1.0)
    assert InfoVAE().lambda_ == MMDVAE().lambda_ == 100.0
    assert presets.create("infovae")["objective_args"] == {"alpha": 0.0, "lambda": 1000.0}
    assert presets.create("mmd_vae")["objective_args"] == {"lambda": 1000.0}


def test_lambda_is_an_option_of_the_command():
    config = TrainConfig(objective="infovae", objective_args={"lambda": 3.0, "scales": 0.5})
    objective = build(config).objective
    assert (objective.lambda_, objective.scales) == (3.0, (0.5,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha must be at most 1"),
        ({"alpha": 0.0, "lambda_": 0.5}, r"alpha \+ lambda at least 1, got 0.0 and 0.5"),
        ({"kernel": "linear"}, "kernel must be 'rbf' or 'imq', got 'linear'"),
        ({"scales": ()}, "scales must be one or more positive numbers"),
        ({"estimator": "best"}, "estimator must be one of auto, analytic, sampled, got 'best'"),
    ],
)
def test_bad_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        InfoVAE(**options)
