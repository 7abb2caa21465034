"""The ops in autograd's own modes: backward again, checkpoints, hooks, autocast, no gradients."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from pyvae import functional as F
from pyvae.testing import CASES
from pyvae.testing.sweep.autograd import *  # noqa: F403


def test_checkpointing_draws_the_same_noise_again():
    mean = torch.randn(4, 5, requires_grad=True)
    for reentrant in (True, False):
        torch.manual_seed(0)
        z = checkpoint(lambda m: F.gaussian_rsample(m, m), mean, use_reentrant=reentrant)
        (ours,) = torch.autograd.grad(z.sum(), mean) if not reentrant else (None,)
        torch.manual_seed(0)
        plain = F.gaussian_rsample(mean, mean)
        assert torch.equal(z, plain)
        if ours is not None:
            assert_close(ours, torch.autograd.grad(plain.sum(), mean)[0])


# Operands that all rows share, whose gradients are sums over the rows.
SHARED = {
    "gaussian_log_prob": "logvar",
    "laplace_log_prob": "log_scale",
    "zero_inflated_negative_binomial_log_prob": "inverse_dispersion",
    "gaussian_mixture_log_prob": None,
}


@pytest.mark.parametrize("columns", [500, 3000])
@pytest.mark.parametrize("incoming", [-1 / 600, 0.7, "weights"])
@pytest.mark.parametrize("name", SHARED)
def test_sums_over_rows_that_come_with_the_value(name, incoming, columns):
    """Ready for a loss of -mean, scaled for one of another scale, made again for weighted rows: in
    place, but those of a mixture."""
    case = CASES[name]
    sizes = (7, 600, 30) if name == "gaussian_mixture_log_prob" else (600, columns)
    inputs = case.inputs(*sizes, requires_grad=case.learned)
    if SHARED[name]:
        shared = inputs[SHARED[name]].detach()
        shared = shared if shared.ndim == 1 else shared[0].clone()
        inputs[SHARED[name]] = shared.requires_grad_()
    leaves = [inputs[n] for n in case.learned]
    value = case(inputs)
    assert value.shape == (600,)
    weight = torch.rand(600) if incoming == "weights" else torch.full((600,), incoming)
    with torch.profiler.profile() as profile:
        grads = torch.autograd.grad(value, leaves, weight)
    again = any(e.key == f"pyvae::{case.native}_backward" for e in profile.key_averages())
    small = sum(t.numel() for t in leaves) < 16384  # scaling is worth no call of its own
    mixture = incoming == "weights" and not SHARED[name]
    assert again == (mixture or (small and incoming == 0.7))

    double = {
        n: t.detach().double().requires_grad_(t.requires_grad)
        if torch.is_tensor(t) and t.is_floating_point()
        else t
        for n, t in inputs.items()
    }
    truth = case.specification(double)
    assert_close(value.double(), truth, rtol=1e-5, atol=1e-3)
    slopes = torch.autograd.grad(truth, [double[n] for n in case.learned], weight.double())
    for grad, slope in zip(grads, slopes, strict=True):
        scale = slope.abs().max()
        assert_close(grad.double() / scale, slope / scale, rtol=1e-4, atol=3e-6)
