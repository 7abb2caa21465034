"""Variational Bayes of the weights, where the posterior is known."""

import math

import pytest
import torch
from torch import nn

from pyvae import VAE
from pyvae.distributions import DiagonalGaussian, StandardNormal
from pyvae.models.base import Model
from pyvae.objectives import AAE, ELBO, FullVB

N, S = 12, 0.8


class Mean(Model):
    """p(x|z) = N(theta, S^2) whatever z: the Bayesian estimate of a mean."""

    data_shape, latent_dim = (1,), 1

    def __init__(self):
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def encode(self, x):
        return DiagonalGaussian(0 * x + 0 * self.unused, 0.0, event_ndim=1)

    def prior(self):
        return StandardNormal((1,), dtype=torch.float64)

    def decode(self, z, **side):
        return DiagonalGaussian(0 * z + self.theta, 2 * math.log(S), event_ndim=1)

    def recognition_parameters(self):
        return [self.unused]

    @property
    def config(self):
        return {}


def bound(model, data_size=N, **options):
    objective = FullVB(**options)
    objective.data_size = data_size
    objective.bind(model)
    return objective


def draws(model, objective, x, repeats=1500):
    """Losses, and gradients by mean and log-variance, of as many draws of the weight."""
    losses, grads = [], []
    for _ in range(repeats):
        loss = objective(model, x).loss
        grads.append(torch.cat(torch.autograd.grad(loss, (model.theta, objective.logvars[0]))))
        losses.append(loss.detach())
    return torch.stack(losses), torch.stack(grads)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_posterior_is_a_rest_point_and_its_bound_the_marginal_likelihood(scale):
    """theta ~ N(0, s^2): p(theta|X) is Gaussian, log p(X) = log N(X; 0, S^2 I + s^2 1 1^T)."""
    x = 1.5 + S * torch.randn(N, 1, dtype=torch.float64)
    precision = N / S**2 + 1 / scale**2
    mean = x.sum() / S**2 / precision
    model = Mean()
    objective = bound(model, weight_scale=scale, init_logvar=-math.log(precision))
    with torch.no_grad():
        model.theta.copy_(mean)
    losses, grads = draws(model, objective, x)
    assert (grads.mean(0).abs() < 4.5 * grads.std(0) / len(grads) ** 0.5).all()
    covariance = S**2 * torch.eye(N, dtype=torch.float64) + scale**2
    zero = torch.zeros(N, dtype=torch.float64)
    truth = torch.distributions.MultivariateNormal(zero, covariance).log_prob(x[:, 0])
    error = N * losses.std() / len(losses) ** 0.5
    assert (-N * losses.mean() - truth).abs() < 4.5 * error + 1e-9
    for shift, spread in ((0.2, 0.0), (-0.2, 0.0), (0.0, 1.0), (0.0, -1.0)):
        with torch.no_grad():
            model.theta.copy_(mean + shift)
            objective.logvars[0].fill_(spread - math.log(precision))
        worse, grads = draws(model, objective, x, 500)
        assert worse.mean() > losses.mean() + 0.005  # any other posterior has a lower bound
        pull = grads.mean(0)[0 if shift else 1]
        assert pull * (shift or spread) > 0  # and is pulled to this one


def test_the_kl_of_the_weights_is_that_of_the_whole_data_set(linear_gaussian):
    model, _ = linear_gaussian()
    x = torch.randn(4, 5, dtype=torch.float64)
    result = bound(model, 50, weight_scale=0.5, init_logvar=-40.0)(model, x)
    q = torch.distributions.Normal(
        nn.utils.parameters_to_vector(model.generative_parameters()), math.exp(-20)
    )
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 0.5)).sum()
    torch.testing.assert_close(result.terms["weight_kl"], kl)
    terms = result.terms
    torch.testing.assert_close(result.loss, terms["kl"] - terms["log_likelihood"] + kl / 50)


def test_weights_without_spread_are_the_model_itself(linear_gaussian):
    model, truth = linear_gaussian()
    x = torch.randn(4, 5, dtype=torch.float64)
    objective = bound(model, init_logvar=-60.0, estimator="sampled")
    torch.testing.assert_close(objective(model, x).terms["elbo"], truth.log_prob(x).mean())
    assert dict(model.named_parameters()).keys() == {
        "posterior.linear.weight",
        "posterior.linear.bias",
        "decoder.output.weight",
        "decoder.output.bias",
    }  # and the call has put back what it replaced
    assert all(isinstance(p, nn.Parameter) for p in model.parameters())


@pytest.mark.parametrize("inner", ["elbo", "iwae"])
def test_every_parameter_learns(inner):
    model = VAE(
        (3,),
        2,
        prior="diagonal_gaussian",
        likelihood="gaussian",
        likelihood_args={"variance": "learned"},
    )
    objective = bound(model, objective=inner, num_samples=4)
    (phase,) = objective.phases(model)
    assert set(phase.parameters) == {*model.parameters(), *objective.parameters()}
    assert len(objective.logvars) == len(model.generative_parameters())
    loss = objective(model, torch.randn(5, 3), phase=phase.name).loss
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(loss, phase.parameters))


def test_what_does_not_fit():
    with pytest.raises(TypeError, match="must have one phase, such as elbo and iwae, got AAE"):
        bound(VAE((3,), 2), objective=AAE(hidden=(4,)))
    with pytest.raises(TypeError, match="the inner objective cannot be FullVB"):
        FullVB(objective=FullVB())
    with pytest.raises(ValueError, match="weight_scale must be positive, got 0"):
        FullVB(weight_scale=0)
    model = VAE((3,), 2)
    objective = FullVB(objective=ELBO())
    objective.bind(model)
    with pytest.raises(ValueError, match="FullVB needs the number of training data"):
        objective(model, torch.rand(2, 3))
