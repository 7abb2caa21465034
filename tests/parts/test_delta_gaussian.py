"""A posterior whose KL has a lower bound by construction."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

from pyvae import VAE
from pyvae.distributions import StandardNormal, factor_kl
from pyvae.objectives import ELBO
from pyvae.posteriors import DeltaGaussianPosterior
from pyvae.posteriors.delta_gaussian import logvar_at


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("kl", [1e-12, 1e-6, 0.01, 0.5, 3.0, 40.0])
def test_the_variance_of_a_divergence(kl):
    """The smaller of the two at which it is so large."""
    logvar = logvar_at(kl)
    assert logvar < 0
    assert (math.expm1(logvar) - logvar) / 2 == pytest.approx(kl, rel=1e-4 if kl < 1e-9 else 1e-9)


@pytest.mark.parametrize("latents", [1, 7])
@pytest.mark.parametrize("rate", [0.05, 1.0, 30.0])
def test_the_bound_holds_whatever_the_network_says_and_is_reached(rate, latents):
    """Also where it says nothing, as after a collapse, or anything."""
    posterior = DeltaGaussianPosterior(4, latents, committed_rate=rate).double()
    p = StandardNormal((latents,), dtype=torch.float64)
    for scale in (0.0, 1.0, 100.0):
        q = posterior(scale * torch.randn(200, 4, dtype=torch.float64))
        assert (factor_kl(q, p) >= rate / latents * (1 - 1e-9)).all()
    with torch.no_grad():
        posterior.linear.weight.zero_()
        posterior.linear.bias[:latents] = 0.0
        posterior.linear.bias[latents:] = -30.0
    kl = kl_divergence(posterior(torch.zeros(1, 4, dtype=torch.float64)), p)
    assert kl.item() == pytest.approx(rate)


def test_the_plain_bound_cannot_collapse_it():
    """Data that have nothing to tell: one posterior falls to the prior, the other to its rate."""
    rates = {}
    for name, options in (("diagonal_gaussian", {}), ("delta_gaussian", {"committed_rate": 2.0})):
        model = VAE(
            (3,),
            2,
            likelihood="gaussian",
            posterior=name,
            posterior_args=options,
            encoder_args={"hidden": [8]},
            decoder_args={"hidden": [8]},
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(400):
            optimizer.zero_grad()
            result = ELBO()(model, torch.randn(64, 3))
            result.loss.backward()
            optimizer.step()
        rates[name] = result.terms["kl"].item()
    assert rates["diagonal_gaussian"] < 0.1
    assert 2.0 <= rates["delta_gaussian"] < 2.5


def test_the_prior_must_stand_still():
    for prior in ("diagonal_gaussian", "vampprior", torch.nn.Identity()):
        with pytest.raises(ValueError, match="DeltaGaussianPosterior is made for the prior st"):
            VAE((3,), 2, posterior="delta_gaussian", prior=prior)
    assert VAE((3,), 2, posterior="delta_gaussian").sample(2).shape == (2, 3)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_is_a_positive_number(rate):
    with pytest.raises(ValueError, match="committed_rate must be a positive number of nats, got"):
        DeltaGaussianPosterior(4, 2, committed_rate=rate)
