"""inplace=True: the gradient takes the parameters' storage, and autograd sees any misuse."""

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES
from pyvae.testing.sweep.inplace import *  # noqa: F403
from pyvae.testing.sweep.inplace import new_memory, overwritten

OVERWRITTEN = {  # the ops whose public function takes inplace, and what becomes the gradient
    "bernoulli_log_prob": "logits",
    "gaussian_log_prob": "mean",
    "categorical_log_prob": "logits",
    "elbo_loss": "logits",
    "elbo_loss_gaussian": "decoded_mean",
}


@pytest.fixture(params=OVERWRITTEN)
def case(request):
    return CASES[request.param]


@pytest.mark.parametrize("name", OVERWRITTEN)
def test_the_argument_that_is_overwritten(name):
    assert overwritten(CASES[name]) == OVERWRITTEN[name]


def test_a_view_of_an_activation():
    """The flattened output of a decoder, and halves of one tensor."""
    x = torch.rand(5, 4)
    leaf = torch.randn(2, 5, 2, 2, requires_grad=True)

    def slopes(inplace):
        h = new_memory(leaf)
        bernoulli = F.bernoulli_log_prob(x, h[0].flatten(1), inplace=inplace)
        h = new_memory(leaf).flatten(2)
        gaussian = F.gaussian_log_prob(x, h[0], h[1], inplace=inplace)
        return torch.autograd.grad(bernoulli.sum() + 0.5 * gaussian.sum(), leaf)

    assert_close(slopes(True), slopes(False))


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_one_tensor_in_several_places(likelihood):
    """Overwriting it must not change what is read from it afterwards, or be refused."""
    x, leaf = torch.rand(5, 4), torch.randn(5, 4, requires_grad=True)

    def loss(inplace):
        h = new_memory(leaf)
        return F.elbo_loss(x, h, h, h, likelihood=likelihood, inplace=inplace)

    expected = loss(False)
    try:
        value = loss(True)
    except (ValueError, RuntimeError):
        return
    assert_close(value, expected)
    assert_close(torch.autograd.grad(value, leaf), torch.autograd.grad(expected, leaf))
