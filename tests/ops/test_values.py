"""Every op equals its specification in float64, in every dtype and mixture of dtypes."""

import math

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing.sweep.values import *  # noqa: F403


def test_bytes_are_not_only_bits():
    x, mean = torch.tensor([[0, 7, 255]], dtype=torch.uint8), torch.zeros(1, 3)
    assert_close(F.gaussian_log_prob(x, mean), F.gaussian_log_prob(x.float(), mean))


def test_numbers_stand_for_tensors():
    x, mean, logvar = torch.randn(3, 4, 5).unbind()
    for number in (0.0, -1.5, 2):
        assert_close(
            F.gaussian_log_prob(x, mean, number),
            F.gaussian_log_prob(x, mean, torch.tensor(float(number))),
        )
        assert_close(
            F.elbo_loss(x, (mean, number), mean, logvar, likelihood="gaussian", beta=number),
            F.elbo_loss(
                x,
                (mean, torch.tensor(float(number))),
                mean,
                logvar,
                likelihood="gaussian",
                beta=torch.tensor(float(number)),
            ),
        )
    default = F.elbo_loss(x, mean, mean, logvar, likelihood="gaussian")
    assert_close(default, F.elbo_loss(x, (mean, 0.0), mean, logvar, likelihood="gaussian"))


@pytest.mark.parametrize("batch_ndim", range(4))
def test_batch_ndim_keeps_leading_dimensions(batch_ndim):
    x, mean, logvar = torch.rand(3, 2, 3, 5, dtype=torch.float64).unbind()
    batch, event = x.shape[:batch_ndim], math.prod(x.shape[batch_ndim:])
    for op, elements in {
        F.gaussian_log_prob: (x, mean, logvar),
        F.bernoulli_log_prob: (x, mean),
        F.gaussian_kl: (mean, logvar, x, x.neg()),
    }.items():
        whole = op(*elements, batch_ndim=batch_ndim)
        assert whole.shape == batch
        one_by_one = op(*elements, batch_ndim=3).reshape(*batch, event)
        assert_close(whole, one_by_one.sum(-1))
    z, kl = F.gaussian_rsample_kl(mean, logvar, batch_ndim=batch_ndim)
    assert z.shape == x.shape
    assert_close(kl, F.gaussian_kl(mean, logvar, batch_ndim=batch_ndim))


@pytest.mark.parametrize("sample_shape", [(), (0,), (1,), (3,), (2, 3)], ids=str)
def test_samples_of_any_shape(sample_shape):
    mean, logvar, seed = torch.randn(4, 5), torch.randn(5), torch.tensor(3)
    z = F.gaussian_rsample(mean, logvar, sample_shape=sample_shape, seed=seed)
    assert z.shape == (*sample_shape, 4, 5)
    expanded = mean.expand(*sample_shape, 4, 5)
    assert torch.equal(z, F.gaussian_rsample(expanded, logvar, seed=seed))


# Rows beside packs and beside segments, columns of one pack, one segment, several.
@pytest.mark.parametrize("rows, cols", [(1, 7), (5, 1), (70, 10), (37, 64), (300, 133), (20, 500)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_over_rows_come_with_the_values(rows, cols, dtype):
    """The inverse dispersion of a row is everybody's: its gradient is a sum over rows."""
    generator = torch.Generator().manual_seed(rows)
    x = torch.randint(0, 5, (rows, cols), generator=generator).to(dtype)
    mean = torch.rand(rows, cols, generator=generator, dtype=dtype) + 0.5
    dispersion = torch.rand(cols, generator=generator, dtype=dtype) + 0.5
    wanted = [False, True, True]
    op = "negative_binomial_log_prob"
    value, _, *grads = getattr(torch.ops.pyvae, f"_{op}_value_grad")(x, mean, dispersion, 1, wanted)
    assert_close(value, getattr(torch.ops.pyvae, op)(x, mean, dispersion, 1))
    incoming = torch.full((rows,), -1 / rows, dtype=dtype)
    backward = getattr(torch.ops.pyvae, f"{op}_backward")
    _, *apart = backward(incoming, x, mean, dispersion, 1, wanted)
    assert_close(grads, apart)
