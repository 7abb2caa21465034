"""Masks of what is observed, over all ops, and what only some of them have."""

import pytest
import torch

from pyvae import functional as F
from pyvae import reference
from pyvae.extension._function import density_function
from pyvae.testing.sweep.masks import *  # noqa: F403


def test_channels_of_a_pixel_are_observed_together():
    x = torch.randint(0, 256, (4, 3, 5, 6), dtype=torch.uint8)
    params, seen = torch.randn(4, 20, 5, 6), torch.rand(4, 5, 6) < 0.5
    whole = F.discretized_logistic_mixture_log_prob(x, params, 2, mask=seen)
    channel = F.discretized_logistic_mixture_log_prob(x, params, 2, mask=seen[:, None])
    assert torch.equal(whole, channel)
    with pytest.raises(ValueError, match=r"mask must broadcast to the shape \[4, 1, 5, 6\]"):
        F.discretized_logistic_mixture_log_prob(x, params, 2, mask=seen[:, None].expand(4, 3, 5, 6))


def test_events_that_differ_are_refused_with_a_mask_too():
    """The form of single elements would broadcast them."""
    image, channel = torch.zeros(4, 8, 8), torch.zeros(4, 1, 8, 8)
    mask = torch.ones(4, 1, 8, 8, dtype=torch.bool)
    with pytest.raises(ValueError, match="must have equal event shapes"):
        F.bernoulli_log_prob(image, channel, mask=mask)
    with pytest.raises(ValueError, match="logits"):
        F.bernoulli_log_prob(torch.zeros(4, 5), torch.zeros(4, 6), mask=mask)
    with pytest.raises(ValueError, match="batch_ndim"):
        F.bernoulli_log_prob(image, image, batch_ndim=4, mask=mask[:, 0])
    with pytest.raises(ValueError, match="x and mean must have one batch size"):
        F.elbo_loss(image, image, torch.zeros(3, 2), torch.zeros(3, 2), mask=mask[:, 0])
    with pytest.raises(ValueError, match=r"beta must have shape \[\], got \[4\]"):
        rows = torch.zeros(4, 2)
        F.elbo_loss(image, image, rows, rows, beta=torch.zeros(4), mask=mask[:, 0])


def test_samples_share_the_data_and_the_mask():
    x, mask = torch.rand(6, 9), torch.rand(6, 9) < 0.5
    logits = torch.randn(4, 6, 9, requires_grad=True)
    value = F.bernoulli_log_prob(x, logits, batch_ndim=2, mask=mask)
    each = torch.stack([F.bernoulli_log_prob(x, row, mask=mask) for row in logits])
    torch.testing.assert_close(value, each)
    assert F.bernoulli_log_prob(x[:0], logits[:, :0], batch_ndim=2, mask=mask[:0]).shape == (4, 0)
    single = F.bernoulli_log_prob(x, logits[0], batch_ndim=2, mask=mask)
    assert single.shape == (6, 9) and (single[~mask] == 0).all()


def test_parameters_by_other_names_may_be_anything_where_masked():
    """0 and NaN among probabilities and standard deviations, whose logarithms have no slope."""
    mask = torch.tensor([[True, False, True, False]])
    x = torch.tensor([[1.0, torch.nan, 0.0, 1.0]])
    given = torch.tensor([[0.3, torch.nan, 0.6, 0.0]], requires_grad=True)
    for value in (
        F.bernoulli_log_prob(x, probs=given, mask=mask),
        F.gaussian_log_prob(x, torch.zeros(1, 4), scale=given, mask=mask),
        F.gaussian_log_prob(x, given, scale=0.5, mask=mask),
    ):
        (grad,) = torch.autograd.grad(value, given)
        assert value.isfinite().all() and (grad[~mask] == 0).all() and (grad[mask] != 0).all()


def test_what_is_shared_by_all_elements_learns_from_the_observed_ones():
    """One variance: its best value is the mean square of what is observed."""
    x, mask = torch.randn(50, 7, dtype=torch.float64), torch.rand(50, 7) < 0.5
    best = x[mask].square().mean().log().requires_grad_()
    x = x.masked_fill(~mask, torch.nan)
    value = F.gaussian_log_prob(x, torch.zeros_like(x), best, mask=mask)
    (grad,) = torch.autograd.grad(value.sum(), best)
    assert grad.abs() < 1e-9


def test_functions_of_other_packages_take_masks():
    """As load_library makes them, from an op and its reference."""
    log_prob = density_function("pyvae", "laplace_log_prob", reference.laplace_log_prob)
    x, mean, mask = torch.randn(4, 6), torch.randn(4, 6), torch.rand(4, 6) < 0.5
    odd = x.masked_fill(~mask, torch.nan)
    for scale in (0.3, torch.randn(6)):
        expected = F.laplace_log_prob(x, mean, scale, mask=mask)
        torch.testing.assert_close(log_prob(odd, mean, log_scale=scale, mask=mask), expected)


def test_inplace_and_second_derivatives():
    x, mask = torch.rand(5, 8), torch.rand(5, 8) < 0.5
    logits = torch.randn(5, 8, requires_grad=True)
    plain = F.bernoulli_log_prob(x, logits, mask=mask)
    over = F.bernoulli_log_prob(x, logits * 1, mask=mask, inplace=True)
    for a, b in zip(*(torch.autograd.grad(v.sum(), logits) for v in (plain, over)), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(plain, over)
    curvature = torch.autograd.functional.hessian(
        lambda t: F.bernoulli_log_prob(x, t, mask=mask).sum(), logits
    )
    found = curvature.reshape(40, 40).diagonal().reshape(5, 8)
    p = logits.detach().sigmoid()
    torch.testing.assert_close(found, torch.where(mask, -p * (1 - p), 0.0))


def test_one_long_row_has_the_same_bits_for_any_number_of_threads():
    x, logits = torch.rand(1, 200_001), torch.randn(1, 200_001)
    mask = torch.rand(1, 200_001) < 0.5
    before = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            found.append(F.bernoulli_log_prob(x, logits, mask=mask))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    expected = F.bernoulli_log_prob(x[mask].double(), logits[mask].double(), batch_ndim=0)
    torch.testing.assert_close(found[0][0].double(), expected, rtol=1e-6, atol=0)
