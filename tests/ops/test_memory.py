"""An op allocates its results, its gradients, and a little scratch: nothing expanded."""

import pytest
import torch

from pyvae import functional as F
from pyvae.testing.sweep.memory import *  # noqa: F403
from pyvae.testing.sweep.memory import SLACK, allocated, backward, size


@pytest.mark.parametrize("k", [1, 50])
def test_samples_never_expand_the_parameters(k):
    mean, logvar, seed = torch.randn(100, 500), torch.randn(500), torch.tensor(1)
    z = F.gaussian_rsample(mean, logvar, sample_shape=(k,), seed=seed)
    call = lambda: F.gaussian_rsample(mean, logvar, sample_shape=(k,), seed=seed)  # noqa: E731
    assert allocated(call) <= z.nbytes + SLACK

    leaves = [mean.clone().requires_grad_(), logvar.clone().requires_grad_()]
    z = F.gaussian_rsample(*leaves, sample_shape=(k,), seed=seed)
    weight = torch.ones_like(z)
    assert allocated(lambda: backward(z, leaves, weight)) <= size(leaves) + 2 * SLACK


def test_data_shared_by_samples_are_read_in_place():
    x, logits = torch.rand(20, 784), torch.randn(50, 20, 784)
    value = F.bernoulli_log_prob(x, logits, batch_ndim=2)
    call = lambda: F.bernoulli_log_prob(x, logits, batch_ndim=2)  # noqa: E731
    assert allocated(call) <= value.nbytes + SLACK


def test_chunked_parameters_are_read_where_they_lie():
    mean, logvar = torch.randn(500, 2 * 784).chunk(2, -1)
    assert allocated(lambda: F.gaussian_kl(mean, logvar)) <= SLACK


def test_planes_of_parameters_are_read_where_they_lie():
    x, params = torch.zeros(8, 3, 32, 32, dtype=torch.uint8), torch.randn(8, 100, 32, 32)
    for laid in (
        torch.cat([params, params], 1).chunk(2, 1)[1],
        params.contiguous(memory_format=torch.channels_last),
        params.repeat_interleave(2, 0)[::2],
        params[:1].expand(8, -1, -1, -1),
    ):
        call = lambda p=laid: F.discretized_logistic_mixture_log_prob(x, p)  # noqa: E731
        assert allocated(call) <= SLACK
        shared = lambda p=laid: F.discretized_logistic_mixture_log_prob(x[:1], p)  # noqa: E731
        assert allocated(shared) <= SLACK


def test_scratch_does_not_grow_with_threads():
    logvar = torch.zeros(784, requires_grad=True)
    x, mean = torch.rand(2, 3000, 784)
    value, before = F.gaussian_log_prob(x, mean, logvar), torch.get_num_threads()
    incoming, found = torch.ones_like(value), []
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            value = F.gaussian_log_prob(x, mean, logvar)
            found.append(allocated(lambda v=value: backward(v, logvar, incoming)))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] <= 8 * 9 * 784 + logvar.nbytes + SLACK
