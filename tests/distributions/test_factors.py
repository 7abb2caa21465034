"""Distributions of independent variables, taken apart."""

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from pyvae.distributions import (
    Bernoulli,
    DiagonalGaussian,
    OneHot,
    StandardNormal,
    factor_kl,
    factors,
)


def test_factors_split_what_is_independent():
    q = DiagonalGaussian(torch.zeros(3, 2), torch.ones(3, 2))
    each = factors(q)
    assert each is not None
    assert each.batch_shape == (3, 2)
    assert torch.allclose(each.log_prob(torch.ones(3, 2)).sum(1), q.log_prob(torch.ones(3, 2)))
    independent = factors(Independent(Normal(torch.zeros(3, 2), 1.0), 1))
    assert independent is not None
    assert independent.batch_shape == (3, 2)
    assert factors(MultivariateNormal(torch.zeros(2), torch.eye(2))) is None


def test_factors_of_discrete_latents():
    q, p = OneHot(torch.randn(5, 3, 4)), OneHot(torch.zeros(3, 4))
    each = kl_divergence(factors(q), factors(p))
    assert each.shape == (5, 3)
    assert torch.allclose(each.sum(1), kl_divergence(q, p))
    bits = Bernoulli(logits=torch.randn(5, 3), event_ndim=1)
    one = factors(bits)
    assert one is not None and one.batch_shape == (5, 3)
    assert torch.allclose(one.entropy().sum(1), bits.entropy())


@pytest.mark.parametrize(
    ("q", "p", "variables"),
    [
        (DiagonalGaussian(torch.randn(5, 3), torch.randn(5, 3)), StandardNormal((3,)), 3),
        (
            DiagonalGaussian(torch.randn(5, 3), torch.randn(5, 3)),
            DiagonalGaussian(torch.randn(3), torch.randn(3), event_ndim=1),
            3,
        ),
        (Independent(Normal(torch.randn(5, 3), 2.0), 1), StandardNormal((3,)), 3),
        (OneHot(torch.randn(5, 3, 4)), OneHot(torch.zeros(3, 4)), 3),
        (
            Bernoulli(logits=torch.randn(5, 3), event_ndim=1),
            Bernoulli(logits=torch.zeros(3), event_ndim=1),
            3,
        ),
    ],
    ids=["standard", "gaussian", "torchs", "one_hot", "bernoulli"],
)
def test_the_divergences_of_the_factors_sum_to_that_of_the_whole(q, p, variables):
    each = factor_kl(q, p)
    assert each.shape == (5, variables)
    assert (each > -1e-6).all()
    torch.testing.assert_close(each.sum(1), kl_divergence(q, p))


def test_dependent_variables_have_no_divergence_each():
    full = MultivariateNormal(torch.zeros(3, 2), torch.eye(2))
    for q, p in ((full, StandardNormal((2,))), (DiagonalGaussian(full.mean, 0.0), full)):
        with pytest.raises(NotImplementedError, match="MultivariateNormal depend on each other"):
            factor_kl(q, p)
