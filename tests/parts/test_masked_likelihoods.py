"""The distribution of every likelihood takes a mask, also those that know nothing of it."""

import pytest
import torch
from torch import distributions as td
from torch.distributions import Independent

from pyvae import registry
from pyvae.distributions import observed
from pyvae.likelihoods import Likelihood

NAMES = [n for n in registry.likelihoods.names() if not registry.likelihoods.is_plugin(n)]
SHAPES = [(3, 4, 5), (6,)]
CASES = [
    (name, shape)
    for name in NAMES
    for shape in SHAPES
    if name != "mixed" and (name != "discretized_logistic_mixture" or len(shape) == 3)
]
every = pytest.mark.parametrize(("name", "shape"), CASES, ids=str)


def prepared(name, shape):
    """A likelihood, parameters (K, B, ...), side inputs, data and a mask (B, ...) of pixels."""
    torch.manual_seed(0)
    likelihood = registry.likelihoods.create(name, data_shape=shape)
    params = torch.randn(2, 5, *likelihood.param_shape, requires_grad=True)
    side = {n: torch.full((5,), 20.0) for n in likelihood.side_inputs}
    x = likelihood(params, **side).sample()[0]
    mask = (torch.rand(5, 1, *shape[1:]) < 0.6).expand(5, *shape)
    if len(shape) == 1:
        mask = torch.rand(5, *shape) < 0.6
    return likelihood, params, side, x, mask


@every
def test_only_what_is_observed_counts(name, shape):
    likelihood, params, side, x, mask = prepared(name, shape)
    p = observed(likelihood(params, **side), mask)
    value = p.log_prob(x)
    assert value.shape == (2, 5) and (value != 0).any()
    odd = x.masked_fill(~mask, torch.nan if x.is_floating_point() else 77)
    leaves = [params, *likelihood.parameters()]
    slopes = torch.autograd.grad(value.sum(), leaves)
    again = observed(likelihood(params, **side), mask).log_prob(odd)
    torch.testing.assert_close(again, value, rtol=0, atol=0)
    for a, b in zip(torch.autograd.grad(again.sum(), leaves), slopes, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
        assert b.isfinite().all() and b.any()
    plain = likelihood(params, **side)
    everything = observed(plain, mask | True)
    torch.testing.assert_close(everything.log_prob(x), plain.log_prob(x))
    assert (observed(plain, mask & False).log_prob(odd) == 0).all()
    torch.manual_seed(1)
    drawn = p.sample()
    torch.manual_seed(1)
    assert torch.equal(plain.sample(), drawn) and torch.equal(p.mean, plain.mean)


@every
def test_gradients_of_masked_elements_are_exactly_zero(name, shape):
    """By the positions of the parameters, which say what belongs to which element."""
    likelihood, params, side, x, mask = prepared(name, shape)
    shared = {"multinomial", "negative_binomial", "zero_inflated_negative_binomial"}
    value = observed(likelihood(params, **side), mask).log_prob(x)
    (slopes,) = torch.autograd.grad(value.sum(), params)
    if name in shared - {"multinomial"}:  # a softmax over all shares
        return
    seen = torch.zeros(5, *likelihood.param_shape, dtype=torch.bool)
    if len(shape) == 3:
        per = likelihood.param_shape[0]
        seen[:] = mask[:, :1].expand(5, per, *shape[1:])
    else:
        seen[:] = mask[:, likelihood.positions]
    assert (slopes[:, ~seen] == 0).all() and (slopes[:, seen] != 0).any()


@every
def test_data_are_checked_where_they_were_observed(name, shape):
    likelihood, _, _, x, mask = prepared(name, shape)
    odd = x.masked_fill(~mask, torch.nan if x.is_floating_point() else 77)
    likelihood.check(odd, mask)
    if x.is_floating_point():
        with pytest.raises(ValueError, match="x must be"):
            likelihood.check(odd)


def test_a_mask_that_splits_channels():
    likelihood, _, _, x, mask = prepared("discretized_logistic_mixture", (3, 4, 5))
    split = mask.clone()
    split[0, 1, 2, 3] ^= True
    with pytest.raises(ValueError, match="channels of a pixel are observed together"):
        likelihood.check(x, split)


class StudentT(Likelihood):
    """Of another package: it gives a distribution of torch."""

    def forward(self, params, **side):
        return Independent(td.StudentT(4.0, params, 1.0, validate_args=False), 1)


def test_a_likelihood_that_knows_nothing_of_masks():
    params, x = torch.randn(5, 6), torch.randn(5, 6)
    mask = torch.rand(5, 6) < 0.5
    each = td.StudentT(4.0, params, 1.0).log_prob(x)
    found = observed(StudentT((6,))(params), mask).log_prob(x.masked_fill(~mask, torch.nan))
    torch.testing.assert_close(found, torch.where(mask, each, 0.0).sum(-1))
