"""Bitwise equal results from run to run and for any number of threads."""

import os
import time

import pytest
import torch

from pyvae import functional as F
from pyvae.testing.sweep.determinism import *  # noqa: F403
from pyvae.testing.sweep.determinism import for_threads


@pytest.mark.parametrize("weights", [(300,), (100, 300)])
def test_few_points_under_a_mixture(weights):
    """So few that weights are kept, in more than one tile of points and part of components."""
    shapes = (100, 40), (300, 40), (300, 40), weights
    given = [torch.randn(shape, requires_grad=True) for shape in shapes]

    def run():
        value = F.gaussian_mixture_log_prob(*given)
        return [value, *torch.autograd.grad(value, given, torch.ones_like(value))]

    for_threads(run)


def test_a_shared_operand_of_many_samples():
    """x without the sample dimension, its gradient summed over samples."""
    x = torch.rand(64, 301, requires_grad=True)
    logits = torch.randn(50, 64, 301)

    def run():
        value = F.bernoulli_log_prob(x, logits, batch_ndim=2)
        return [value, *torch.autograd.grad(value.sum(), x)]

    for_threads(run)


@pytest.mark.parametrize("kept", [1, 3, 8])
@pytest.mark.parametrize("columns", [1, 40, 700])
def test_gradients_summed_over_samples(kept, columns):
    """Rows of a mean for many samples each: as many go side by side as there are for a thread."""
    x, logvar = torch.randn(2, kept, 200, columns).unbind()
    mean = torch.randn(kept, 1, columns, requires_grad=True)

    def run():
        value = F.gaussian_log_prob(x, mean, logvar, batch_ndim=2)
        return torch.autograd.grad(value, mean, torch.linspace(1, 2, value.numel()).view_as(value))

    for_threads(run)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("columns", range(1, 40, 2))
def test_short_rows_wherever_a_thread_begins(columns, dtype):
    """A row's bits do not depend on which rows go side by side with it."""
    given = torch.randn(3, 7_011, columns, dtype=dtype).unbind()
    grad = torch.linspace(1, 2, 7_011)

    def run(first=0):
        part = [g[first:] for g in given]
        backward = torch.ops.pyvae.laplace_log_prob_backward
        return [F.laplace_log_prob(*part), *backward(grad[first:], *part, 1, [True] * 3)]

    for_threads(run)
    assert all(torch.equal(a, b[7:]) for a, b in zip(run(7), run(), strict=True))


def test_a_large_call_runs_on_every_thread():
    """The equalities above say nothing where all is done by one thread."""
    if (os.cpu_count() or 1) < 2:
        pytest.skip("needs two processors")
    x, logits = torch.rand(4096, 784), torch.randn(4096, 784)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        process, own = time.process_time(), time.thread_time()
        for _ in range(20):
            F.bernoulli_log_prob(x, logits)
        process, own = time.process_time() - process, time.thread_time() - own
    finally:
        torch.set_num_threads(before)
    assert process > 1.3 * own
