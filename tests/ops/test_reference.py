"""The specifications as devices without kernels run them: differentiable, and without float64."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pyvae import distributions as d
from pyvae import reference
from pyvae.testing import differentiate, outputs


class NoFloat64(TorchDispatchMode):
    """A device that has no float64, as Apple's GPUs have none: whatever makes one, raises."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for t in tree_leaves(found):
            # A Python number that is wrapped for a moment lives on no device.
            if isinstance(t, torch.Tensor) and t.dtype == torch.float64 and t.ndim:
                raise TypeError(f"{func} made a tensor of float64")
        return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_specification_needs_no_float64(case, dtype):
    inputs = case.inputs(dtype=dtype, requires_grad=case.differentiable)
    arguments = case.arguments(inputs)
    with NoFloat64():
        results = outputs(case.reference(*arguments))
        differentiable = [r for r in results if r.requires_grad]
        wanted = [inputs[name] for name in case.differentiable]
        grads = torch.autograd.grad(
            differentiable, wanted, [torch.ones_like(r) for r in differentiable]
        )
    assert all(torch.is_tensor(g) for g in grads)
    values, _ = differentiate(case, inputs, case.differentiable)
    for ours, theirs in zip(values, results, strict=True):
        assert ours.dtype == theirs.dtype


def test_the_mode_sees_float64():
    with NoFloat64(), pytest.raises(TypeError, match="made a tensor of float64"):
        torch.ones(2).double()


@pytest.mark.parametrize("seed", [0, 1, -(2**63), 2**63 - 1, 0xDEADBEEF12345678 - 2**64])
def test_noise_is_the_same_in_both_precisions(seed):
    """The angle keeps its digits: what differs is the rounding of a sine and of a root."""
    shape, seed = (40_003,), torch.tensor(seed)
    single = reference.philox_normal(seed, shape)
    double = reference.philox_normal(seed, shape, torch.float64)
    assert single.dtype == torch.float32
    pairs = double[:40_000].reshape(-1, 2), single[:40_000].double().reshape(-1, 2)
    squares = [p.square().sum(-1) for p in pairs]
    assert_close(squares[1], squares[0], rtol=5e-7, atol=5e-7)
    near = squares[0] < 0.01  # where the radius has lost digits of the uniform number
    assert_close(pairs[1][~near], pairs[0][~near], rtol=0, atol=2e-6)
    assert abs(double.mean()) < 0.02 and abs(double.std() - 1) < 0.02


SAMPLED = {
    "gaussian": lambda p: d.DiagonalGaussian(p, p),
    "mixture": lambda p: d.GaussianMixture(p, p),
    "rank-one": lambda p: d.Rank1Gaussian(p, p, p),
    "laplace": lambda p: d.Laplace(mean=p, log_scale=p, event_ndim=1),
    "continuous bernoulli": lambda p: d.ContinuousBernoulli(logits=p, event_ndim=1),
    "bernoulli": lambda p: d.Bernoulli(logits=p, event_ndim=1),
    "categorical": lambda p: d.Categorical(logits=p, event_ndim=1),
    "one hot": lambda p: d.OneHot(p),
    "poisson": lambda p: d.Poisson(log_rate=p),
    "negative binomial": lambda p: d.NegativeBinomial(mean=p.exp(), inverse_dispersion=p.exp()),
    "zero-inflated": lambda p: d.ZeroInflatedNegativeBinomial(p.exp(), p.exp(), p),
    "discretized logistic": lambda p: d.DiscretizedLogistic(p, p),
}


@pytest.mark.parametrize("name", SAMPLED)
def test_distributions_need_no_float64(name):
    p = torch.randn(3, 4, requires_grad=True)
    with NoFloat64():
        q = SAMPLED[name](p)
        q.log_prob(q.sample())
        for moment in (q.mean, q.variance, q.stddev):
            torch.autograd.grad(moment.sum(), p, retain_graph=True)
        if q.has_rsample:
            q.rsample()
