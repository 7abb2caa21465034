"""Our families inside torch's own classes and registries."""

import pytest
import torch
from torch import distributions as td
from torch.distributions import biject_to, kl_divergence, transform_to
from torch.testing import assert_close

from pyvae.distributions import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Laplace,
    NegativeBinomial,
    Poisson,
)


def test_mixtures_of_torch_take_our_categorical():
    logits, loc = torch.randn(3, 4), torch.randn(3, 4)
    ours, theirs = (
        td.MixtureSameFamily(family(logits=logits), td.Normal(loc, 1.0))
        for family in (Categorical, td.Categorical)
    )
    x = torch.randn(5, 3)
    assert_close(ours.log_prob(x), theirs.log_prob(x))
    assert_close(ours.mean, theirs.mean)
    assert ours.sample((7,)).shape == (7, 3)


@pytest.mark.parametrize("swap", [False, True])
def test_our_categorical_beside_torchs(swap):
    logits, other = torch.randn(2, 3, 4).unbind()
    pair = [Categorical(logits=logits), td.Categorical(logits=other)]
    expected = [td.Categorical(logits=logits), td.Categorical(logits=other)]
    if swap:
        pair, expected = pair[::-1], expected[::-1]
    assert_close(kl_divergence(*pair), kl_divergence(*expected))


def test_parameters_are_transformed_to_where_they_may_lie():
    for family in (ContinuousBernoulli, Bernoulli, Laplace, Poisson):
        for constraint in family.arg_constraints.values():
            there = transform_to(constraint)(torch.randn(50))
            assert constraint.check(there).all()
    constraint = ContinuousBernoulli.arg_constraints["probs"]
    x = torch.randn(50)
    assert_close(biject_to(constraint).inv(biject_to(constraint)(x)), x, rtol=1e-4, atol=1e-4)


def test_divergences_from_families_that_torch_alone_has():
    loc, scale = torch.randn(3), torch.rand(3) + 0.5
    ours, theirs = Laplace(loc, scale), td.Laplace(loc, scale)
    for other in (td.Beta(1.0, 2.0), td.Normal(0.0, 1.0)):
        assert_close(kl_divergence(ours, other), kl_divergence(theirs, other))
    with pytest.raises(NotImplementedError):
        kl_divergence(ours, td.Cauchy(0.0, 1.0))


def test_a_bernoulli_is_discrete():
    assert Bernoulli(torch.tensor(0.5)).support.is_discrete
    assert Bernoulli(torch.full((2, 3), 0.5), event_ndim=1).support.is_discrete


@pytest.mark.parametrize("family", [Bernoulli, Laplace, Poisson])
def test_batches_that_do_not_broadcast(family):
    given = [torch.full((3, 2), 0.5)] * (2 if family is Laplace else 1)
    for validate in (True, False):
        p = family(*given, validate_args=validate)
        with pytest.raises(ValueError, match="do not broadcast"):
            p.log_prob(torch.zeros(3, 3))


def test_parameters_of_float32_under_another_default():
    """A number in a formula is no tensor of the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        p = torch.tensor([0.0, 0.3], dtype=torch.float32)
        params = torch.randn(1, 6, 2, 2, dtype=torch.float32)
        for q, x in (
            (Bernoulli(p), p.round()),
            (Categorical(p), torch.tensor(1)),
            (Poisson(p), p.round()),
            (NegativeBinomial(mean=p, inverse_dispersion=p + 1), p.round()),
            (DiscretizedLogistic(p, p), p.round()),
            (DiscretizedLogisticMixture(params, 2), torch.zeros(1, 1, 2, 2, dtype=torch.uint8)),
        ):
            assert q.log_prob(x).dtype == q.mean.dtype == torch.float32, q
    finally:
        torch.set_default_dtype(before)
