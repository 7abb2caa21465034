"""Finite wherever the true value is; infinities and NaN go through."""

import math

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, differentiate, in_float64, outputs

F64 = torch.float64
SINGLE_OR_MORE = [torch.float32, F64]
EVERY = [*SINGLE_OR_MORE, torch.bfloat16, torch.float16]
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def leaf(values, dtype):
    return torch.tensor(values, dtype=F64).to(dtype).reshape(-1, 1).requires_grad_()


@pytest.mark.parametrize("dtype", EVERY)
@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
def test_logits_of_any_size(x, dtype):
    at = leaf([-1e4, -1e3, -100, -88, -30, -1e-3, 0, 1e-3, 30, 88, 100, 1e3, 1e4], dtype)
    value = F.bernoulli_log_prob(torch.full_like(at, x).detach(), at)
    (grad,) = torch.autograd.grad(value.sum(), at)
    exact = at.detach().double()
    softplus = exact.clamp(min=0) + torch.log1p(torch.exp(-exact.abs()))
    assert_close(value.double(), (x * exact - softplus)[:, 0], rtol=1e-6, atol=1e-6)
    assert_close(
        grad.double(), x - torch.sigmoid(exact), rtol=2 * torch.finfo(dtype).eps, atol=1e-7
    )


def test_a_certain_and_true_prediction_costs_nothing():
    at = torch.tensor([[-100.0, 100.0, -1e4, 1e4, -3e38, 3e38]])
    assert F.bernoulli_log_prob((at > 0).float(), at).item() == 0
    assert F.bernoulli_log_prob((at > 0), at).item() == 0


def test_a_small_probability_keeps_its_digits():
    """log p(0) = -log(1 + exp(l)) is about -exp(l) when l is very negative."""
    at = torch.tensor([[-10.0], [-20.0], [-40.0], [-80.0]])
    truth = -torch.log1p(torch.exp(at.double()))
    assert_close(
        F.bernoulli_log_prob(torch.zeros_like(at), at)[:, None].double(), truth, rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("logvar", [-87, -100, -170, -400, -800])
def test_the_middle_of_a_narrow_density(logvar, dtype):
    """There the square is 0, however large the precision."""
    v, m = (torch.full((3, 5), float(value), dtype=dtype) for value in (logvar, 1.5))
    at_half = torch.full_like(v, -0.5)
    for call, given, value, slopes in [
        (F.gaussian_log_prob, (m, m, v), -0.5 * (math.log(2 * math.pi) + logvar), (0, 0, -0.5)),
        (F.laplace_log_prob, (m, m, v), -math.log(2) - logvar, (0, 0, -1)),
        (F.gaussian_kl, (m, v, m, v), 0, (0, 0, 0, 0)),
    ]:
        given = [t.clone().requires_grad_() for t in given]
        found = call(*given)
        assert_close(found, torch.full_like(found, 5 * value))
        for grad, slope in zip(torch.autograd.grad(found.sum(), given), slopes, strict=True):
            assert_close(grad, torch.full_like(grad, slope))

    points = [t.clone().requires_grad_() for t in (m[:1], m, v)]
    found = F.gaussian_mixture_log_prob(*points)
    assert_close(found, torch.full_like(found, -2.5 * (math.log(2 * math.pi) + logvar)))
    grads = torch.autograd.grad(found.sum(), points)
    assert not grads[0].any() and not grads[1].any()
    assert_close(grads[2], at_half / 3)


@pytest.mark.parametrize("dtype", EVERY)
def test_log_variances_of_any_size(dtype):
    v = leaf([-80, -40, -17, -1, 0, 1, 17, 40, 80], dtype)
    m = leaf([1.5] * 9, dtype)
    for case, inputs in [
        (CASES["gaussian_kl"], {"mean": m, "logvar": v}),
        (CASES["gaussian_kl_prior"], {"mean": m, "logvar": v, "prior_mean": m, "prior_logvar": v}),
        (CASES["gaussian_log_prob"], {"x": torch.full_like(m, 0.5), "mean": m, "logvar": v}),
        (CASES["gaussian_rsample"], {"mean": m, "logvar": v, "seed": torch.tensor(1)}),
        (CASES["gaussian_rsample_kl"], {"mean": m, "logvar": v, "seed": torch.tensor(1)}),
    ]:
        wanted = [n for n in ("mean", "logvar") if inputs[n].requires_grad]
        values, grads = differentiate(case, inputs, wanted)
        truth, true_grads = differentiate(case.specification, in_float64(inputs), wanted)
        for ours, true in [
            *zip(values, truth, strict=True),
            *((grads[n], true_grads[n]) for n in wanted),
        ]:
            expected = true.to(
                ours.dtype
            )  # infinite where the dtype cannot hold it, finite elsewhere
            rtol = max(1e-5, 2 * torch.finfo(ours.dtype).eps)
            assert_close(ours, expected, rtol=rtol, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_case
def test_half_precision_sums_beyond_its_range(case, dtype):
    """Rows are summed in float32: 65504 is no limit, and small gradients are not flushed."""
    sizes = {
        "batch": 2,
        "samples": 1,
        "components": 2,
        "latent": 50_000,
        "event": 50_000,
        "classes": 5,
    }
    inputs = case.inputs(*(sizes[s] for s in case.sizes), dtype=dtype, requires_grad=case.learned)
    values, grads = differentiate(case, inputs, case.learned)
    truth, true_grads = differentiate(case.specification, in_float64(inputs), case.learned)
    for ours, true in zip(values, truth, strict=True):
        assert ours.isfinite().all()
        assert_close(ours.double(), true, rtol=1e-2, atol=1e-2)
    for name in case.learned:
        finite = true_grads[name].to(dtype).isfinite()
        assert (grads[name].isfinite() == finite).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@every_case
def test_poison_stays_in_its_row_and_shows(case, poison, dtype):
    """NaN gives NaN where the specification does; an infinity spoils nothing that it does not."""
    for name in case.differentiable:
        sizes = {"batch": 4, "samples": 2}
        inputs = case.inputs(*(sizes.get(s, 37) for s in case.sizes), dtype=dtype)
        if inputs[name].ndim < 2:
            continue
        inputs[name][1, 5] = poison
        for other in case.differentiable:
            inputs[other].requires_grad_()
        ours = differentiate(case, inputs, case.differentiable)
        truth = differentiate(case.specification, in_float64(inputs), case.differentiable)
        for a, b in zip(ours[0], truth[0], strict=True):
            assert not (a.isfinite() != b.to(a.dtype).isfinite()).any(), f"{poison} in {name}"
            assert not math.isnan(poison) or torch.equal(a.isnan(), b.isnan()), name
        for other in case.differentiable:
            a, b = ours[1][other], truth[1][other]
            lost = b.isfinite() & a.isnan()
            assert not lost.any(), f"gradient of {other} with {poison} in {name}"
            assert not math.isnan(poison) or torch.equal(a.isnan(), b.isnan()), (name, other)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("logvar", [-math.inf, -3e38, -1e30, -1e4, -300, 85])
def test_the_slope_of_the_kl_at_log_variances_beyond_reason(logvar, dtype):
    """1/2 (exp(v) - 1): the value may be infinite, its slope is -1/2 all the same."""
    v = torch.full((1, 9), logvar, dtype=dtype, requires_grad=True)
    kl = F.gaussian_kl(torch.zeros_like(v), v)
    (grad,) = torch.autograd.grad(kl.sum(), v)
    assert_close(grad, torch.expm1(v.detach()) / 2)


@every_case
def test_results_never_lose_a_nan(case):
    """Every position of a row, body and tail of every vector length."""
    sizes = tuple(1 if s in ("samples", "batch") else 41 for s in case.sizes)
    for name in case.differentiable:
        for place in range(0, case.inputs(*sizes)[name].numel(), 3):
            inputs = case.inputs(*sizes)
            inputs[name].view(-1)[place] = math.nan
            assert any(r.isnan().any() for r in outputs(case(inputs))), (name, place)
