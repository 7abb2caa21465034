"""Any layout gives the values of the contiguous one, and any incoming gradient will do."""

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES
from pyvae.testing.sweep.layouts import *  # noqa: F403


def images(layouts):
    x, mean, logvar = torch.rand(3, 2, 3, 5, 6).unbind()
    made = [
        t.contiguous(memory_format=torch.channels_last) if last else t
        for t, last in zip((x, mean, logvar), layouts, strict=True)
    ]
    return [t.clone(memory_format=torch.preserve_format).requires_grad_() for t in made]


@pytest.mark.parametrize(
    "layouts", [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)], ids=str
)
def test_channels_last_beside_nchw(layouts):
    given = images(layouts)
    plain = [t.detach().contiguous().requires_grad_() for t in given]
    for function in (
        F.gaussian_log_prob,
        lambda x, m, v: F.bernoulli_log_prob(x, m + v),
        lambda x, m, v: F.gaussian_kl(x, m, v, m + v),
        lambda x, m, v: F.gaussian_rsample_kl(m, v, seed=torch.tensor(3))[0] * x,
        lambda x, m, v: F.gaussian_rsample(m, v, sample_shape=(2,), seed=torch.tensor(3)) * x,
        lambda x, m, v: F.elbo_loss(x, m, m, v),
        lambda x, m, v: F.elbo_loss(x, (m, v), m, v, likelihood="gaussian", reduction="none"),
    ):
        ours, expected = function(*given), function(*plain)
        assert_close(ours, expected)
        grads = torch.autograd.grad(ours.sum(), given, allow_unused=True)
        assert_close(grads, torch.autograd.grad(expected.sum(), plain, allow_unused=True))


@pytest.mark.parametrize(
    "shape", [(3, 1, 1), (1, 1), (5, 1), (6,), (1, 5, 6), (4, 1, 1, 1)], ids=str
)
@pytest.mark.parametrize("last", [False, True])
def test_a_variance_for_each_channel_row_or_sample(shape, last):
    x, mean = torch.rand(2, 4, 3, 5, 6).unbind()
    if last:
        mean = mean.contiguous(memory_format=torch.channels_last)
    logvar = torch.randn(shape, requires_grad=True)
    mean.requires_grad_()
    (ours, grads), (full, full_grads) = (
        (v := F.gaussian_log_prob(x, mean, s), torch.autograd.grad(v.sum(), [mean, logvar]))
        for s in (logvar, logvar.expand(4, 3, 5, 6))
    )
    assert_close(ours, full)
    assert_close(grads, full_grads)


@pytest.mark.parametrize("name", ["x", "mean", "logvar"])
def test_operands_expanded_in_memory(name):
    inputs = CASES["gaussian_log_prob"].inputs(6, 7)
    for row in (inputs[name][:1].expand(6, 7), inputs[name][:, :1].expand(6, 7)):
        expanded = {**inputs, name: row}
        copied = {**inputs, name: row.clone()}
        leaves = {k: v.clone().requires_grad_() for k, v in copied.items()}
        small = row[:1] if row.stride(0) == 0 else row[:, :1]
        leaf = small.clone().requires_grad_()
        assert_close(F.gaussian_log_prob(**expanded), F.gaussian_log_prob(**copied))
        ours = F.gaussian_log_prob(**{**expanded, name: leaf.expand(6, 7)})
        (grad,) = torch.autograd.grad(ours.sum(), leaf)
        (full,) = torch.autograd.grad(F.gaussian_log_prob(**leaves).sum(), leaves[name])
        assert_close(grad, full.sum_to_size(leaf.shape))


@pytest.mark.parametrize("columns", [0, 4])
@pytest.mark.parametrize("name", ["elbo_loss", "elbo_loss_gaussian"])
def test_the_loss_of_an_empty_batch(name, columns):
    case = CASES[name]
    inputs = case.inputs(0, columns, columns)
    assert case(inputs, reduction="none").shape == (0,)
    assert case(inputs, reduction="sum") == 0


def test_numbers_without_a_batch():
    x, mean, logvar = torch.rand(3, dtype=torch.float64).requires_grad_().unbind()
    one = [t.reshape(1, 1) for t in (x, mean, logvar)]
    for function, n in [(F.gaussian_log_prob, 3), (F.bernoulli_log_prob, 2), (F.gaussian_kl, 2)]:
        value = function(*(x, mean, logvar)[:n], batch_ndim=0)
        assert value.shape == ()
        assert_close(value, function(*one[:n])[0])
    z, kl = F.gaussian_rsample_kl(mean, logvar, batch_ndim=0, seed=torch.tensor(1))
    assert z.shape == kl.shape == ()
    assert_close(z, F.gaussian_rsample(mean, logvar, seed=torch.tensor(1)))
