"""The ops in autograd's own modes: backward again, checkpoints, hooks, autocast, no gradients."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from pyvae import functional as F
from pyvae.testing import CASES, outputs

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@every_case
def test_backward_again(case):
    inputs = case.inputs(requires_grad=case.differentiable)
    for wanted in (case.differentiable, case.learned):
        leaves = [inputs[n] for n in wanted]
        frozen = {
            n: t.detach() if torch.is_tensor(t) and n not in wanted else t
            for n, t in inputs.items()
        }
        results = outputs(case(frozen))
        weights = [torch.randn_like(r) for r in results]
        first = torch.autograd.grad(results, leaves, weights, retain_graph=True)
        kept = [g.clone() for g in first]
        assert_close(
            torch.autograd.grad(results, leaves, weights, retain_graph=True), first, rtol=0, atol=0
        )
        doubled = torch.autograd.grad(results, leaves, [2 * w for w in weights])
        assert_close(doubled, tuple(2 * g for g in first))
        assert_close(first, tuple(kept), rtol=0, atol=0)  # no gradient given out changes later
        with pytest.raises(RuntimeError, match="second time"):
            torch.autograd.grad(results, leaves, weights)


@every_case
def test_changing_an_argument_never_gives_a_wrong_gradient(case):
    """It raises, or the gradient was made beside the value and is that of the old argument."""
    for name in case.differentiable:
        inputs = case.inputs(requires_grad=case.differentiable)
        leaves = [inputs[n] for n in case.differentiable]
        results = outputs(case(inputs))
        incoming = [torch.full_like(r, 0.5) for r in results]
        expected = torch.autograd.grad(results, leaves, incoming)

        results = outputs(case({**inputs, name: (changed := inputs[name] * 1)}))
        with torch.no_grad():
            changed.add_(1)
        try:
            assert_close(torch.autograd.grad(results, leaves, incoming), expected)
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)


@pytest.mark.parametrize("wanted", ["differentiable", "learned"])
@every_case
def test_checkpointing_and_saved_tensor_hooks(case, wanted):
    inputs = case.inputs(requires_grad=getattr(case, wanted))
    leaves = [inputs[n] for n in getattr(case, wanted)]

    def run(*values):
        return outputs(case({**inputs, **dict(zip(getattr(case, wanted), values, strict=True))}))

    def slopes(results):
        return torch.autograd.grad(results, leaves, [torch.ones_like(r) for r in results])

    def backward(results):
        for leaf in leaves:
            leaf.grad = None
        torch.autograd.backward(results, [torch.ones_like(r) for r in results])
        return tuple(leaf.grad for leaf in leaves)

    expected = slopes(run(*leaves))
    for reentrant in (True, False):
        assert_close(
            backward(checkpoint(run, *leaves, use_reentrant=reentrant)), expected, rtol=0, atol=0
        )
    with torch.autograd.graph.save_on_cpu():
        results = run(*leaves)
    assert_close(slopes(results), expected, rtol=0, atol=0)


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


@every_case
def test_modes_without_gradients(case):
    inputs = case.inputs(requires_grad=case.differentiable)
    expected = [r.detach() for r in outputs(case(inputs))]
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            results = outputs(case(inputs))
        assert not any(r.requires_grad for r in results)
        assert_close(results, tuple(expected), rtol=1e-6, atol=1e-6)
    assert all(r.requires_grad for r in outputs(case(inputs)))


@every_case
def test_autocast(case):
    """Under autocast networks give bfloat16 to the ops, which sum in float32 all the same."""
    inputs = case.inputs(requires_grad=case.learned)
    half = {n: t.bfloat16() if n in case.learned else t for n, t in inputs.items()}
    with torch.autocast("cpu", torch.bfloat16):
        ours = outputs(case(half))
    assert_close(ours, outputs(case(half)), rtol=0, atol=0)
    grads = torch.autograd.grad(
        ours, [inputs[n] for n in case.learned], [torch.ones_like(r) for r in ours]
    )
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in grads)


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
    """Ready for a loss of -mean, scaled for one of another scale, made anew for weighted rows."""
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
    assert again == (incoming == "weights" or (small and incoming == 0.7))

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
