"""Which estimator of the KL the ELBO takes, and what it says where there is none."""

import pytest
import torch
from torch import nn

from pyvae import VAE
from pyvae.objectives import ELBO, sampling

D, N = 2, 5


@pytest.fixture
def x():
    return torch.randn(6, N, dtype=torch.float64)


class Mixed(nn.Module):
    """A prior whose divergence from a Gaussian has no closed form."""

    latent_dim = D

    def forward(self):
        student = torch.distributions.StudentT(5.0, torch.zeros(D), torch.ones(D))
        return torch.distributions.Independent(student, 1)


def test_without_a_closed_form_the_error_names_the_way_out():
    model = VAE((N,), D, prior=Mixed(), likelihood="gaussian")
    x = torch.randn(3, N)
    with pytest.raises(TypeError, match=r"\|\| Independent\(StudentT\)\).*'sampled'"):
        ELBO(estimator="analytic")(model, x)
    assert ELBO(estimator="sampled")(model, x).loss.isfinite()


def test_auto_says_once_that_it_takes_samples(caplog):
    sampling._say_sampled.cache_clear()
    caplog.set_level("INFO", logger="pyvae")
    x = torch.randn(3, N)
    mixed = VAE((N,), D, prior=Mixed(), likelihood="gaussian")
    closed = VAE((N,), D, likelihood="gaussian")
    for model in (mixed, closed, mixed):
        ELBO()(model, x)
    assert [record.getMessage() for record in caplog.records] == [
        "elbo: estimator 'auto' takes KL(DiagonalGaussian || Independent(StudentT)) from samples, "
        "as no closed form is known"
    ]


class Torchs(nn.Module):
    """The standard normal prior, in torch's classes."""

    latent_dim = D

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self):
        zero = torch.zeros(D, dtype=torch.float64)
        if self.kind == "full":
            return torch.distributions.MultivariateNormal(zero, torch.eye(D, dtype=zero.dtype))
        return torch.distributions.Independent(torch.distributions.Normal(zero, 1.0), 1)


@pytest.mark.parametrize("kind", ["independent", "full"])
def test_a_prior_of_torchs_has_the_closed_form(kind, x):
    """The loss and its gradient are those of our own prior, not one sample's."""
    found = []
    for prior in (Torchs(kind), "standard_normal"):
        torch.manual_seed(0)
        model = VAE((N,), D, prior=prior, likelihood="gaussian").double()
        torch.manual_seed(1)
        result = ELBO()(model, x)
        grads = torch.autograd.grad(result.loss, list(model.parameters()))
        found.append((result.terms, [g.clone() for g in grads]))
    torch.testing.assert_close(*found)


def same_loss(model, x, a, b):
    losses = []
    for estimator in (a, b):
        torch.manual_seed(1)
        losses.append(ELBO(num_samples=3, estimator=estimator)(model, x).loss)
    return losses[0] == losses[1]


@pytest.mark.parametrize(
    ("posterior", "prior", "closed"),
    [
        ("diagonal_gaussian", "standard_normal", True),
        ("rank1_gaussian", "diagonal_gaussian", True),
        ("full_gaussian", "standard_normal", True),
        ("diagonal_gaussian", "vampprior", False),
        ("diagonal_gaussian", "mixture_of_gaussians", False),
        ("mixture_of_gaussians", "standard_normal", False),
        ("planar", "standard_normal", False),
    ],
)
def test_by_default_the_estimator_is_the_one_that_the_parts_have(posterior, prior, closed):
    model = VAE((N,), D, prior=prior, posterior=posterior, likelihood="gaussian")
    x = torch.randn(3, N)
    assert ELBO().estimator == "auto"
    assert same_loss(model, x, "auto", "analytic" if closed else "sampled")
    if not closed:
        with pytest.raises(TypeError, match="has no closed form here"):
            ELBO(estimator="analytic")(model, x)


class PlainPosterior(nn.Module):
    """A posterior that cannot be differentiated through its samples."""

    def forward(self, features):
        return torch.distributions.Independent(torch.distributions.Bernoulli(logits=features), 1)


def test_a_posterior_without_rsample_raises():
    model = VAE((N,), 256, posterior=PlainPosterior())
    with pytest.raises(TypeError, match=r"posterior with rsample, .* got Independent"):
        ELBO()(model, torch.rand(3, N))
