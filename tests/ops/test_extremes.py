"""Finite wherever the true value is; infinities and NaN go through."""

import math

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae import reference
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
        inputs[name][1, min(5, inputs[name].shape[1] - 1)] = poison
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


def slopes(call, *given):
    """The value of one element, and its gradients."""
    leaves = [t.clone().requires_grad_() for t in given]
    value = call(*leaves)
    return value.detach(), torch.autograd.grad(value.sum(), leaves)


def rows(*numbers, dtype):
    """Each number as many equal rows of one element: every lane of a vector, and a tail."""
    return [torch.full((37, 1), float(n), dtype=F64).to(dtype) for n in numbers]


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("distance", [1.0, 1e5, 1e10, 1e15, 1e17])
def test_a_wide_gaussian_far_away(distance, dtype):
    """x = d s has one density for all standard deviations s, but for log s."""
    for call, widen in [(F.gaussian_log_prob, 2), (F.laplace_log_prob, 1)]:
        for scale in (1e-20, 1.0, 1e20):
            log_scale = widen * math.log(scale)
            value, grads = slopes(call, *rows(distance * scale, 0, log_scale, dtype=dtype))
            s = math.exp(torch.tensor(log_scale, dtype=dtype).item() / widen)
            d = torch.tensor(distance * scale, dtype=dtype).item() / s
            if widen == 2:
                truth, slope, width = (
                    -0.5 * (math.log(2 * math.pi) + d * d),
                    -d / s,
                    (d * d - 1) / 2,
                )
                truth -= log_scale / 2
            else:
                truth, slope, width = -d - math.log(2) - log_scale, -1 / s, d - 1
            rtol = 1e-12 if dtype == F64 else 3e-6
            assert_close(value.double(), torch.full((37,), truth, dtype=F64), rtol=rtol, atol=rtol)
            for grad, true in zip(grads, (slope, -slope, width), strict=True):
                if abs(true) < torch.finfo(dtype).max and abs(true) > torch.finfo(dtype).tiny:
                    true = torch.full_like(grad, true, dtype=F64)
                    assert_close(grad.double(), true, rtol=rtol, atol=rtol * (width == true[0, 0]))


def test_the_square_of_a_gaussian_of_log_variance_87():
    value, grads = slopes(F.gaussian_log_prob, *rows(1e20, 0, 87, dtype=torch.float32))
    assert value.tolist() == pytest.approx([-126.70951] * 37)
    assert grads[1].flatten().tolist() == pytest.approx([1.6458114e-18] * 37)
    # the prior's side of a divergence and of a log-ratio
    mean, logvar, prior_mean, prior_logvar = rows(1e20, 87, 0, 87, dtype=torch.float32)
    value, grads = slopes(F.gaussian_kl, mean, logvar, prior_mean, prior_logvar)
    assert value.tolist() == pytest.approx([82.290571] * 37)
    assert grads[0].flatten().tolist() == pytest.approx([1.6458114e-18] * 37)
    still, seed = torch.full_like(mean, -100), torch.tensor(1)
    (_, away), (_, there) = (
        F.gaussian_rsample_log_ratio(m, still, 1, prior_mean, prior_logvar, seed=seed)
        for m in (mean, prior_mean)
    )
    assert (there - away).flatten().tolist() == pytest.approx([82.290571] * 37)
    mixture = F.gaussian_mixture_log_prob(mean, prior_mean[:1], prior_logvar[:1])
    assert mixture.tolist() == pytest.approx([-126.70951] * 37)


def test_a_narrow_gaussian_beyond_the_largest_precision():
    """exp(100) is no float, (1e-20)^2 exp(100) is."""
    value, grads = slopes(F.gaussian_log_prob, *rows(1e-20, 0, -100, dtype=torch.float32))
    assert value.tolist() == pytest.approx([-1294.97757] * 37)
    assert grads[1].flatten().tolist() == pytest.approx([2.6881171e23] * 37, rel=1e-5)
    value, _ = slopes(F.laplace_log_prob, *rows(1e-30, 0, -100, dtype=torch.float32))
    assert value.tolist() == pytest.approx([100 - math.log(2) - 2.6881171e13] * 37, rel=1e-5)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("given", ["kernel", "specification"])
@pytest.mark.parametrize("prior", [None, 0.5])
@pytest.mark.parametrize("path", [False, True])
def test_the_log_ratio_of_a_posterior_without_width(path, prior, given, dtype):
    """Towards a log-variance of -inf its slope tends to 1/2, or to eps^2 / 2 along the path."""
    name = "gaussian_rsample_log_ratio"
    of_prior, standard = ("_path", "_standard_path") if path else ("_prior", "")
    case = CASES[name + (standard if prior is None else of_prior)]
    eps = F.gaussian_rsample(*rows(0, 0, dtype=dtype), sample_shape=(1,), seed=torch.tensor(5))
    for logvar in (-40.0, -400.0, -math.inf):
        mean, v = (t.requires_grad_() for t in rows(0.7, logvar, dtype=dtype))
        inputs = {"mean": mean, "logvar": v, "num_samples": 1, "seed": torch.tensor(5)}
        inputs["path_derivative"] = path
        if prior is not None:
            inputs["prior_mean"], inputs["prior_logvar"] = rows(prior, prior, dtype=dtype)
        call = case if given == "kernel" else case.specification
        z, ratio = call(inputs)
        assert not z.isnan().any() and not ratio.isnan().any()
        grads = torch.autograd.grad(ratio.sum(), (mean, v))
        expected = eps.square().sum(0) / 2 if path else torch.full_like(v, 0.5)
        assert_close(grads[1], expected, rtol=1e-5, atol=1e-7)
        assert not grads[0].isnan().any()


SUBNORMAL = math.exp(-100)


def test_counts_of_an_inverse_dispersion_or_mean_below_the_normal_numbers():
    """As t -> 0, p(x) -> t / x (m / (t + m))^x; as m -> 0, p(x) -> m^x times what is without m."""
    tiny = torch.tensor(SUBNORMAL).item()  # to the digits that are left of it
    value, _ = slopes(F.negative_binomial_log_prob, *rows(1, 1, SUBNORMAL, dtype=torch.float32))
    assert value.tolist() == pytest.approx([math.log(tiny)] * 37, rel=1e-6)
    value, grads = slopes(F.negative_binomial_log_prob, *rows(5, tiny, 1, dtype=torch.float32))
    assert value.tolist() == pytest.approx([5 * math.log(tiny)] * 37, rel=1e-6)
    assert grads[0].flatten().tolist() == pytest.approx([math.log(tiny)] * 37, rel=1e-6)
    # a share t / (t + x) below them
    less = rows(1e10, 1e10, 1e-30, dtype=torch.float32)
    value, grads = slopes(F.negative_binomial_log_prob, *less)
    assert value.tolist() == pytest.approx([math.log(1e-30 / 1e10)] * 37, rel=1e-6)
    assert grads[2].flatten().tolist() == pytest.approx([1e30] * 37, rel=1e-6)


def test_counts_where_subnormal_numbers_are_flushed(request):
    if request.config.pluginmanager.hasplugin("executor_plugin"):
        pytest.skip("the setting is the CPU's; the C library's logarithm is off by 4 there")
    given = [*rows(1, 1, SUBNORMAL, dtype=torch.float32)]
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor flushes none")
    try:
        for x, truth in ((0, 0.0), (1, -100.0), (7, -100.0 - math.log(7))):
            value = F.negative_binomial_log_prob(torch.full_like(given[0], x), *given[1:])
            assert value.tolist() == pytest.approx([truth] * 37, abs=0.05)
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("given", ["kernel", "specification"])
def test_counts_of_extreme_means_and_dispersions(given, dtype):
    """Values and gradients in x, mean and inverse dispersion from 60 digits of mpmath."""
    call = (F if given == "kernel" else reference).negative_binomial_log_prob
    for numbers, value, d_x, d_mean, d_dispersion in [
        ((0, 1e30, 1e-30), -1.381551055796427e-28, -1e30, -1e-60, -137.15510557964274),
        ((1, 1e-30, 1e30), -69.07755278982137, -69.50033712491984, 1e30, 0.0),
        ((1, 1e30, 1e30), -6.931471805599453e29, 67.96162127416295, -0.5, -0.19314718055994531),
        ((3, 2, 1e30), -1.712317927548219, -0.5629704878718552, 0.5, 1e-60),
        ((20, 30, 1e30), -4.311668827510378, 0.3806733894200063, -1 / 3, -4e-59),
    ]:
        found, grads = slopes(call, *rows(*numbers, dtype=dtype))
        rtol = 1e-12 if dtype == F64 else 4e-6 if given == "kernel" else 1e-4
        every = zip((found, *grads), (value, d_x, d_mean, d_dispersion), strict=True)
        for ours, true in every:
            assert_close(
                ours.double().flatten(), torch.full((37,), true, dtype=F64), rtol=rtol, atol=1e-28
            )


def test_exponentials_to_the_end_of_the_normal_numbers():
    """exp(v / 2) by a sample: right down to the smallest normal number, then 0."""
    half = torch.linspace(-87.3365, 88.7228, 5000)[:, None]
    at = (torch.zeros_like(half), 2 * half)
    seed = torch.tensor(3)
    eps = F.gaussian_rsample(torch.zeros_like(half), torch.zeros_like(half), seed=seed)
    z = F.gaussian_rsample(*at, seed=seed).double()
    truth = half.double().exp() * eps.double()
    normal = (truth.abs() > 1.2e-38) & (truth.abs() < 3.4e38)
    assert_close(z[normal], truth[normal], rtol=4e-6, atol=0)
    assert (F.gaussian_rsample(at[0], torch.full_like(half, -180.0), seed=seed) < 1.2e-38).all()
    assert F.gaussian_rsample(at[0], torch.full_like(half, 178.0), seed=seed).isinf().any()


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_a_bernoulli_that_is_certain(dtype):
    """Logits of +-inf: 0 for what they are sure of, -inf for anything else; NaN stays NaN."""
    infinite = torch.tensor([math.inf, -math.inf, math.inf, -math.inf, math.inf], dtype=dtype)
    x = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.5], dtype=dtype)
    logits = infinite[:, None].clone().requires_grad_()
    expected = torch.tensor([0.0, 0.0, -math.inf, -math.inf, -math.inf], dtype=dtype)
    for value in (F.bernoulli_log_prob(x[:, None], logits), bernoulli_reference(x, logits)):
        assert_close(value, expected)
        (grad,) = torch.autograd.grad(value.sum(), logits)
        assert_close(grad[:, 0], x - (infinite > 0).to(dtype))
    nan = torch.full((3, 1), math.nan, dtype=dtype)
    assert F.bernoulli_log_prob(torch.tensor([[0.0], [1.0], [0.5]], dtype=dtype), nan).isnan().all()


def bernoulli_reference(x, logits):
    return reference.bernoulli_log_prob(x[:, None], logits)
