"""Bitwise equal results from run to run and for any number of threads."""

import os
import time

import pytest
import torch

from pyvae import functional as F
from pyvae.testing import CASES, differentiate

# Sizes beyond one thread's share: many rows, few rows, one long row, long rows over several chunks.
SIZES = {
    "many rows": (3, 5000, 37),
    "few rows": (2, 3, 30_011),
    "long row": (1, 1, 100_003),
    "many samples": (1, 100_000, 3),
    "odd": (5, 131, 257),
}


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def flat(values, grads):
    return [*values, *grads.values()]


def same(a, b):
    return all(torch.equal(p, q) and p.stride() == q.stride() for p, q in zip(a, b, strict=True))


def for_threads(threads, function):
    threads(1)
    first = function()
    for count in (1, 2, 4):
        threads(count)
        assert same(function(), first), f"{count} threads"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_any_number_of_threads(case, size, dtype, threads):
    sizes = SIZES[size][-len(case.sizes) :]
    if "event" in case.sizes and "latent" in case.sizes:
        sizes = (*SIZES[size][1:], 5)
    if case.paired:
        sizes = tuple(min(s, 1000) for s in sizes)
    inputs = case.inputs(*sizes, dtype=dtype, requires_grad=case.differentiable)
    for_threads(threads, lambda: flat(*differentiate(case, inputs, case.differentiable)))
    for_threads(threads, lambda: flat(*differentiate(case, inputs, case.learned)))


@pytest.mark.parametrize("weights", [(300,), (100, 300)])
def test_few_points_under_a_mixture(weights, threads):
    """So few that weights are kept, in more than one tile of points and part of components."""
    shapes = (100, 40), (300, 40), (300, 40), weights
    given = [torch.randn(shape, requires_grad=True) for shape in shapes]

    def run():
        value = F.gaussian_mixture_log_prob(*given)
        return [value, *torch.autograd.grad(value, given, torch.ones_like(value))]

    for_threads(threads, run)


BROADCASTS = {"columns": (0,), "per sample": (slice(None), slice(1)), "scalar": (0, 0)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", BROADCASTS)
@pytest.mark.parametrize(
    "case, name",
    [(c, n) for c in CASES.values() for n in c.broadcasts],
    ids=lambda v: getattr(v, "name", v),
)
def test_sums_over_what_an_operand_is_broadcast_along(case, name, form, size, threads):
    sizes = SIZES[size][-len(case.sizes) :]
    if "event" in case.sizes and "latent" in case.sizes:
        sizes = (*SIZES[size][1:], 5)
    inputs = case.inputs(*sizes)
    whole = inputs[name].expand(len(inputs["mean"]), -1)
    inputs[name] = whole[BROADCASTS[form]].clone().requires_grad_()
    for_threads(threads, lambda: flat(*differentiate(case, inputs, (name,))))
    # ... and they are the sums: what the full operand's gradient adds up to.
    full = {**inputs, name: inputs[name].detach().expand_as(whole).clone().requires_grad_()}
    (_, few), (_, many) = (differentiate(case, i, (name,)) for i in (inputs, full))
    total = many[name].double().sum_to_size(inputs[name].shape)
    scale = many[name].double().abs().sum_to_size(inputs[name].shape)
    assert ((few[name].double() - total).abs() <= 2e-6 * scale + 1e-6).all()


def test_a_shared_operand_of_many_samples(threads):
    """x without the sample dimension, its gradient summed over samples."""
    x = torch.rand(64, 301, requires_grad=True)
    logits = torch.randn(50, 64, 301)

    def run():
        value = F.bernoulli_log_prob(x, logits, batch_ndim=2)
        return [value, *torch.autograd.grad(value.sum(), x)]

    for_threads(threads, run)


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
