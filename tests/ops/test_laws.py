"""What the densities are: normalized, non-negative divergences, and losses made of their parts."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F

F64 = torch.float64


def randn(*shape, seed=0, dtype=F64):
    return torch.randn(shape, dtype=F64, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("logvar", [-6.0, 0.0, 2.5])
@pytest.mark.parametrize("mean", [-1.0, 3.0])
def test_the_gaussian_density_integrates_to_one(mean, logvar):
    sigma = torch.tensor(logvar / 2, dtype=F64).exp()
    x = mean + sigma * torch.linspace(-12, 12, 4001, dtype=F64)
    density = F.gaussian_log_prob(x, torch.full_like(x, mean), logvar).exp()
    assert_close(torch.trapezoid(density, x), torch.ones((), dtype=F64))
    assert_close(torch.trapezoid(density * (x - mean).square(), x), sigma.square())


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_bernoulli_mass_sums_to_one(n):
    logits = 3 * randn(n)
    every = torch.tensor(list(itertools.product([False, True], repeat=n)))
    mass = F.bernoulli_log_prob(every, logits).exp()
    assert mass.shape == (2**n,)
    assert_close(mass.sum(), torch.ones((), dtype=F64))
    assert_close((mass[:, None] * every).sum(0), torch.sigmoid(logits))


def test_half_a_bit_is_the_mean_of_the_two():
    logits = randn(4, 9)
    zeros, ones = torch.zeros_like(logits), torch.ones_like(logits)
    both = F.bernoulli_log_prob(zeros, logits) + F.bernoulli_log_prob(ones, logits)
    assert_close(F.bernoulli_log_prob((zeros + ones) / 2, logits), both / 2)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_kl_is_positive_and_zero_only_at_equality(dtype):
    mean, logvar, prior_mean, prior_logvar = 3 * randn(4, 10_000, 1, dtype=dtype)
    kl = F.gaussian_kl(mean, logvar, prior_mean, prior_logvar)
    assert (kl > 0).all()
    assert (F.gaussian_kl(mean, logvar) > 0).all()
    assert (F.gaussian_kl(mean, logvar, mean, logvar) == 0).all()
    zero = torch.zeros_like(mean)
    assert (F.gaussian_kl(zero, zero) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_kl_is_accurate_near_equality(dtype):
    size = torch.logspace(-12, -0.3, 200, dtype=F64)
    for logvar in (size, -size):
        # exp(v) - 1 - v to 12 terms of its series
        truth = sum(logvar**k / torch.arange(1, k + 1, dtype=F64).prod() for k in range(14, 1, -1))
        given = logvar.to(dtype)
        used = given.double()
        truth = truth * (used / logvar) ** 2 / 2  # rounding of the argument itself
        leaf = given.clone().requires_grad_()
        kl = F.gaussian_kl(torch.zeros_like(leaf), leaf)
        rtol = 1e-6 if dtype == torch.float32 else 1e-11
        assert_close(kl.double(), truth, rtol=rtol, atol=0)
        (grad,) = torch.autograd.grad(kl.sum(), leaf)
        assert_close(grad.double(), torch.expm1(used) / 2, rtol=rtol, atol=0)


def test_the_kl_is_its_monte_carlo_mean():
    mean, logvar, prior_mean, prior_logvar = 0.7 * randn(4, 6, 3, seed=1)
    z = F.gaussian_rsample(mean, logvar, sample_shape=(40_000,), seed=torch.tensor(5))
    ratio = F.gaussian_log_prob(z, mean, logvar, batch_ndim=2) - F.gaussian_log_prob(
        z, prior_mean, prior_logvar, batch_ndim=2
    )
    error = ratio.std(0) / 40_000**0.5
    kl = F.gaussian_kl(mean, logvar, prior_mean, prior_logvar)
    assert ((ratio.mean(0) - kl).abs() < 4.5 * error).all()
    assert (error < 0.05 * kl + 0.01).all()


def test_a_lone_prior_argument_takes_zero_for_the_other():
    mean, logvar, prior_mean, prior_logvar = randn(4, 5, 6)
    zero = torch.zeros(())
    for ours, whole in [
        ({"prior_mean": prior_mean}, (prior_mean, zero)),
        ({"prior_logvar": prior_logvar}, (zero, prior_logvar)),
        ({}, (zero, zero)),
    ]:
        assert_close(F.gaussian_kl(mean, logvar, **ours), F.gaussian_kl(mean, logvar, *whole))


def test_the_pathwise_gradient_is_that_of_the_expectation():
    """E z^2 = m^2 + exp(v), whose gradients are 2 m and exp(v)."""
    mean, logvar = (0.5 * randn(2, 8)).unbind()
    mean.requires_grad_(), logvar.requires_grad_()
    z = F.gaussian_rsample(mean, logvar, sample_shape=(200_000,), seed=torch.tensor(1))
    grads = torch.autograd.grad(z.square().mean(0).sum(), [mean, logvar])
    assert_close(grads[0], 2 * mean, rtol=0, atol=0.03)
    assert_close(grads[1], logvar.exp(), rtol=0, atol=0.05)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("beta", [1.0, 0.0, 4.5, torch.tensor(0.3, dtype=F64)], ids=str)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian pair"])
def test_the_loss_is_made_of_its_parts(likelihood, beta, reduction):
    x, decoded, spread = randn(3, 4, 2, 5).sigmoid().requires_grad_()
    mean, logvar = randn(2, 4, 3, seed=1).requires_grad_()
    if torch.is_tensor(beta):
        beta = beta.clone().requires_grad_()
    wanted = [x, decoded, mean, logvar]
    if likelihood == "bernoulli":
        given, log_prob = decoded, F.bernoulli_log_prob(x, decoded)
    elif likelihood == "gaussian":
        given, log_prob = decoded, F.gaussian_log_prob(x, decoded)
    else:
        given, log_prob = (decoded, spread), F.gaussian_log_prob(x, decoded, spread)
        wanted.append(spread)
    if torch.is_tensor(beta):
        wanted.append(beta)
    loss = F.elbo_loss(
        x, given, mean, logvar, likelihood=likelihood.split()[0], beta=beta, reduction=reduction
    )
    parts = beta * F.gaussian_kl(mean, logvar) - log_prob
    whole = {"none": parts, "mean": parts.mean(), "sum": parts.sum()}[reduction]
    assert_close(loss, whole)
    weight = torch.rand_like(loss)
    for some in (wanted, wanted[1:4]):  # with the data, and what training asks for
        ours = torch.autograd.grad(loss, some, weight, retain_graph=True)
        assert_close(ours, torch.autograd.grad(whole, some, weight, retain_graph=True))
