"""Laplace and continuous Bernoulli: normalized, and exact at their special points."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F

F64 = torch.float64
SINGLE_OR_MORE = [torch.float32, F64]


def legendre(pieces):
    """Nodes and weights for an integral over each piece, of functions smooth inside of it."""
    node, weight = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(40))
    ends = torch.tensor(pieces, dtype=F64)
    half, middle = (ends[1:] - ends[:-1]) / 2, (ends[1:] + ends[:-1]) / 2
    return (middle[:, None] + half[:, None] * node).flatten(), (half[:, None] * weight).flatten()


@pytest.mark.parametrize("log_scale", [-5.0, 0.0, 1.5])
@pytest.mark.parametrize("mean", [-1.0, 3.0])
def test_the_laplace_density_integrates_to_one(mean, log_scale):
    scale = math.exp(log_scale)
    x, weight = legendre([mean + scale * k for k in (-50, -15, -5, 0, 5, 15, 50)])
    density = F.laplace_log_prob(x, torch.full_like(x, mean), log_scale, batch_ndim=1).exp()
    assert_close((density * weight).sum(), torch.ones((), dtype=F64), rtol=1e-12, atol=0)
    deviation = (density * weight * (x - mean).abs()).sum()
    assert_close(deviation, torch.tensor(scale, dtype=F64), rtol=1e-12, atol=0)


def test_the_laplace_equals_torch():
    x, mean, log_scale = torch.randn(3, 6, 5, dtype=F64)
    truth = torch.distributions.Laplace(mean, log_scale.exp()).log_prob(x).sum(-1)
    assert_close(F.laplace_log_prob(x, mean, log_scale), truth)
    assert_close(
        F.laplace_log_prob(x, mean), torch.distributions.Laplace(mean, 1.0).log_prob(x).sum(-1)
    )


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_the_laplace_at_its_mean_and_at_any_scale(dtype):
    v = torch.tensor([-80.0, -17, 0, 17, 80], dtype=dtype)[:, None].requires_grad_()
    for distance in (0.0, 0.5, -3.0):
        m = torch.full_like(v, 1.5).requires_grad_()
        x = (m + distance).detach()
        value = F.laplace_log_prob(x, m, v)
        grads = torch.autograd.grad(value.sum(), [m, v])
        precision = torch.exp(-v.detach().double())
        far = abs(distance) * precision
        truth = -far - v.detach().double() - math.log(2)
        sign = (distance > 0) - (distance < 0)
        assert_close(value.double()[:, None], truth, rtol=1e-6, atol=1e-6)
        assert_close(grads[0].double(), sign * precision, rtol=1e-5, atol=0)
        assert_close(grads[1].double(), far - 1, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("logits", [-300.0, -20, -1.5, -0.9, -1e-3, 0, 1e-9, 0.2, 1, 7, 60])
def test_the_continuous_bernoulli_density_integrates_to_one(logits):
    x, weight = legendre([0, 1e-2, 5e-2, 0.2, 0.5, 0.8, 0.95, 0.99, 1])
    at = torch.full_like(x, logits).requires_grad_()
    log_prob = F.continuous_bernoulli_log_prob(x, at)
    (grad,) = torch.autograd.grad(log_prob.sum(), at)
    density = log_prob.detach().exp() * weight
    assert_close(density.sum(), torch.ones((), dtype=F64), rtol=1e-11, atol=0)
    # The slope is x less its mean.
    assert_close((density * x).sum(), (x - grad)[0], rtol=1e-10, atol=0)


def test_the_continuous_bernoulli_equals_torch():
    x, logits = torch.rand(6, 5, dtype=F64), 3 * torch.randn(6, 5, dtype=F64)
    truth = torch.distributions.ContinuousBernoulli(logits=logits).log_prob(x).sum(-1)
    assert_close(F.continuous_bernoulli_log_prob(x, logits), truth, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("x", [0.0, 0.1, 0.5, 1.0])
def test_logits_around_zero_keep_their_digits(x, dtype):
    """log p = (x - 1/2) l - l^2 / 24 + l^4 / 2880 - ..., whose slope is x - 1/2 - l / 12 + ..."""
    size = torch.logspace(-15, math.log10(2), 400, dtype=F64)
    at = torch.cat([-size, torch.zeros(1, dtype=F64), size]).to(dtype)[:, None].requires_grad_()
    value = F.continuous_bernoulli_log_prob(torch.full_like(at, x).detach(), at)
    (grad,) = torch.autograd.grad(value.sum(), at)
    exact = at.detach().double()
    x = torch.tensor(x, dtype=dtype).double()
    bernoulli = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]
    bernoulli += [43867 / 798, -174611 / 330, 854513 / 138, -236364091 / 2730, 8553103 / 6]
    terms = [(b / math.factorial(2 * k), 2 * k) for k, b in enumerate(bernoulli, 1)]
    truth = (x - 0.5) * exact - sum(c / n * exact**n for c, n in terms)
    slope = x - 0.5 - sum(c * exact ** (n - 1) for c, n in terms)
    rtol = 3e-6 if dtype == torch.float32 else 2e-12
    assert_close(value.double()[:, None], truth, rtol=rtol, atol=0)
    assert_close(grad.double(), slope, rtol=rtol, atol=3e-8 if dtype == torch.float32 else 1e-15)


@pytest.mark.parametrize("dtype", [*SINGLE_OR_MORE, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
def test_continuous_bernoulli_logits_of_any_size(x, dtype):
    sizes = [-1e4, -1e3, -100, -88, -30, -2, 2, 30, 88, 100, 1e3, 1e4]
    sizes += [-1e30, -3e38, 3e38] if dtype == torch.float32 else []
    at = torch.tensor(sizes, dtype=F64).to(dtype)[:, None].requires_grad_()
    value = F.continuous_bernoulli_log_prob(torch.full_like(at, x).detach(), at)
    (grad,) = torch.autograd.grad(value.sum(), at)
    exact = at.detach().double()
    size = exact.abs()
    norm = torch.log(size) - torch.log(-torch.expm1(-size))
    mean = 1 / size + 1 / torch.expm1(-size) + 1  # of x, for logits below 0
    truth = (x * exact - exact.clamp(min=0) + norm)[:, 0]
    assert_close(value.double(), truth, rtol=1e-6, atol=1e-6)
    slope = x - torch.where(exact < 0, mean, 1 - mean)
    assert_close(grad.double(), slope, rtol=2 * torch.finfo(dtype).eps, atol=2e-7)
