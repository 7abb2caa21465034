"""Moments and entropies at the ends of every dtype, and samples that stay in their support."""

import math

import mpmath
import pytest
import torch
from torch.testing import assert_close

from pyvae import distributions as d

F64 = torch.float64
DTYPES = [F64, torch.float32, torch.bfloat16, torch.float16]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: str(t).split(".")[1])


def line(dtype):
    """Numbers of either sign, from the smallest normal one to the largest."""
    limits = torch.finfo(dtype)
    sizes = [limits.tiny, 1e-3, 0.1, 0.7, 0.999, 1, 1.5, 3, 7, 11, 16, 21, 40, 88, 89, 104, 200]
    sizes += [1e3, 1e4, limits.max**0.5, limits.max]
    return torch.tensor([0, *sizes, *(-s for s in sizes)], dtype=F64).to(dtype)


def grid(*axes):
    return [g.reshape(-1) for g in torch.meshgrid(*axes, indexing="ij")]


def pair(dtype):
    return grid(line(dtype), line(dtype))


def squarable(dtype):
    at = line(dtype)
    return at[at.abs() < torch.finfo(dtype).max ** 0.5]


def logarithms(dtype):
    at = line(dtype)
    return at[at.abs() < math.log(torch.finfo(dtype).max)]


def counted(dtype):
    """Means and inverse dispersions of whose variance m + m^2 / t and its slopes there are any."""
    at, largest = line(dtype)[line(dtype) >= 0], torch.finfo(dtype).max
    return at[at < largest ** (1 / 3)], at[at > largest ** (-1 / 4)]


def spread_out(parameter):
    """Each number beside three others, in the middle of a last dimension."""
    fixed = torch.tensor([0.0, -1.0, 2.0], dtype=parameter.dtype).expand(len(parameter), 3)
    return torch.cat([fixed[:, :1], parameter[:, None], fixed[:, 1:]], -1)


def mixture_planes(dtype):
    logit, mean, log_scale = grid(line(dtype)[::3], squarable(dtype), line(dtype)[::2])
    zero = torch.zeros_like(logit)
    planes = torch.stack([logit, zero, mean, zero + 0.3, log_scale, zero - 2], -1)
    return (planes[..., None, None],)


def negative_binomial(mean, inverse_dispersion):
    return d.NegativeBinomial(mean=mean, inverse_dispersion=inverse_dispersion)


# name: parameters at the ends of a dtype, and the distribution that has them
MAKERS = {
    "bernoulli": (lambda t: (line(t),), lambda x: d.Bernoulli(logits=x)),
    "relaxed bernoulli": (lambda t: (line(t)[:, None],), d.RelaxedBernoulli),
    "binary chain": (lambda t: (line(t)[:, None],), lambda x: d.BinaryChain(x, [], [1])),
    "continuous bernoulli": (
        lambda t: (line(t),),
        lambda x: d.ContinuousBernoulli(logits=x),
    ),
    "categorical": (
        lambda t: (spread_out(line(t)),),
        lambda x: d.Categorical(logits=x),
    ),
    "one hot": (lambda t: (spread_out(line(t))[:, None],), d.OneHot),
    "poisson": (lambda t: (line(t),), lambda r: d.Poisson(log_rate=r)),
    "negative binomial": (
        lambda t: grid(*counted(t)),
        negative_binomial,
    ),
    "zero-inflated": (
        lambda t: grid(*counted(t), line(t)[::4]),
        lambda m, r, x: d.ZeroInflatedNegativeBinomial(m, r, x),
    ),
    "gaussian": (pair, lambda m, v: d.DiagonalGaussian(m, v, event_ndim=0)),
    "laplace": (pair, lambda m, s: d.Laplace(mean=m, log_scale=s)),
    "discretized logistic": (
        lambda t: grid(squarable(t), line(t)),
        lambda m, s: d.DiscretizedLogistic(m, s),
    ),
    "discretized logistic mixture": (
        mixture_planes,
        lambda p: d.DiscretizedLogisticMixture(p, num_mixtures=2),
    ),
    "gaussian mixture": (
        lambda t: grid(squarable(t)[::2], line(t)[::2], line(t)[::3]),
        lambda m, v, w: d.GaussianMixture(
            torch.stack([m, torch.ones_like(m)], -1)[..., None],
            torch.stack([v, torch.zeros_like(v)], -1)[..., None],
            torch.stack([w, torch.zeros_like(w)], -1),
        ),
    ),
    "rank-one gaussian": (
        lambda t: grid(logarithms(t), squarable(t)),
        lambda p, u: d.Rank1Gaussian(
            torch.zeros_like(p)[:, None].expand(-1, 2),
            torch.stack([p, torch.zeros_like(p)], -1),
            torch.stack([u, torch.ones_like(u)], -1),
        ),
    ),
}
MOMENTS = ("mean", "mode", "variance", "stddev", "entropy")
every = pytest.mark.parametrize("name", MAKERS)


def moment(name, what, parameters):
    """A moment, and its gradients; None where the distribution has none."""
    leaves = [t.clone().requires_grad_() for t in parameters]
    try:
        found = getattr(MAKERS[name][1](*leaves), what)
        found = found() if callable(found) else found
    except NotImplementedError:
        return None
    grads = [torch.zeros_like(leaf) for leaf in leaves]
    if found.requires_grad:
        wanted = torch.autograd.grad(found.sum(), leaves, allow_unused=True)
        grads = [g if w is None else w for g, w in zip(grads, wanted, strict=True)]
    return [found.detach(), *grads]


@every_dtype
@pytest.mark.parametrize("what", MOMENTS)
@every
def test_moments_are_finite_where_they_can_be_and_equal_those_in_float64(name, what, dtype):
    parameters = MAKERS[name][0](dtype)
    found = moment(name, what, parameters)
    if found is None:
        pytest.skip(f"no {what} of a {name} is known")
    exact = [t.double() for t in parameters]
    truth = moment(name, what, exact)
    eps, largest = torch.finfo(dtype).eps, torch.finfo(dtype).max / 8
    held = (truth[0].abs() < largest).reshape(len(truth[0]), -1).all(-1)
    assert held.sum() > len(held) / 4
    unit = 255 ** (1 + (what == "variance")) if "discretized" in name else 1
    eps = 88 * eps if "rank-one" in name else eps  # that of the logarithms added in exponents
    end = torch.finfo(F64).max
    moved = [torch.zeros_like(t) for t in truth]  # when an argument moves by one unit
    for k, parameter in enumerate(exact):
        sign = torch.ones_like(parameter).cumsum(-1) % 2 * 2 - 1
        other = moment(
            name,
            what,
            [*exact[:k], (parameter * (1 + eps * sign)).clamp(-end, end), *exact[k + 1 :]],
        )
        moved = [m + (a - b).abs() for m, a, b in zip(moved, other, truth, strict=True)]
    for k, (ours, true) in enumerate(zip(found, truth, strict=True)):
        ours, true = ours[held], true[held]
        if what != "mode":  # NaN where both values of a Bernoulli are as likely
            assert not true.isnan().any(), f"NaN in {what}, result {k}, in float64"
            assert not ours.isnan().any(), f"NaN in {what}, result {k}"
        if dtype != F64 and what != "mode":
            rows = (-1, *[1] * (true.ndim - 1))
            size = truth[0][held].abs().reshape(len(true), -1).amax(1).reshape(rows)
            slack = 4 * eps * (unit + size + 10 * true.abs()) + 8 * moved[k][held]
            off = ((ours.double() - true).abs() > slack) & (true.abs() < largest)
            assert not off.any(), (what, k, ours[off], true[off])


@every_dtype
@every
def test_samples_lie_in_the_support(name, dtype):
    torch.manual_seed(0)
    parameters = MAKERS[name][0](dtype)
    wide = [t.double() for t in parameters]
    if name == "rank-one gaussian":  # of finite variance
        held = MAKERS[name][1](*wide).stddev.amax(-1) < torch.finfo(dtype).max / 8
        parameters = [t[held] for t in parameters]
    p = MAKERS[name][1](*parameters)
    for _ in range(3):
        x = p.sample((20,))
        assert not x.isnan().any()
        support = p.support
        while isinstance(support, torch.distributions.constraints.independent):
            support = support.base_constraint
        if support.event_dim:
            assert support.check(x).all()
        else:
            x = x[x.isfinite()]  # an infinite count is one that the dtype cannot hold
            assert support.check(x).all(), x[~support.check(x)]


def logits(dtype=F64):
    return torch.linspace(-100, 100, 20, dtype=dtype).requires_grad_()


@every_dtype
def test_the_slope_of_the_continuous_bernoulli(dtype):
    """The mean's derivative is the variance, about 1 / l^2, the entropy's -l times that."""
    at = logits(dtype)
    p = d.ContinuousBernoulli(logits=at)
    (slope,) = torch.autograd.grad(p.mean.sum(), at)
    rtol = 4 * torch.finfo(dtype).eps
    assert_close(slope, p.variance.detach(), rtol=rtol, atol=rtol / 1e3)
    far = at.detach().abs() > 10
    assert_close(slope[far].double(), at.detach()[far].double() ** -2, rtol=0.02, atol=0)
    (slope,) = torch.autograd.grad(p.entropy().sum(), at)
    assert_close(slope, -at.detach() * p.variance.detach(), rtol=2 * rtol, atol=0)


def continuous_bernoulli(logit):
    """Mean, variance and entropy from 40 digits."""
    x = mpmath.mpf(logit)
    mean = 1 / (1 - mpmath.exp(-x)) - 1 / x
    variance = 1 / x**2 - 1 / (4 * mpmath.sinh(x / 2) ** 2)
    return mean, variance, mpmath.log(mpmath.expm1(x) / x) - x * mean


def test_the_continuous_bernoulli_to_the_last_digits():
    at = [1e-6, 0.01, 0.3, 0.99, 1.0, 1.01, 2.5, 9.0, 40.0, 350.0, 1e4]
    at = torch.tensor([*at, *(-x for x in at)], dtype=F64)
    with mpmath.workdps(40):
        truth = [[float(v) for v in continuous_bernoulli(x)] for x in at.tolist()]
    truth = torch.tensor(truth, dtype=F64).unbind(-1)
    p = d.ContinuousBernoulli(logits=at)
    for ours, true in zip((p.mean, p.variance, p.entropy()), truth, strict=True):
        assert_close(ours, true, rtol=2e-14, atol=2e-16)


@every_dtype
def test_the_standard_deviation_of_a_certain_bernoulli(dtype):
    at = torch.tensor([-1e4, -40.0, 0.0, 40.0, 1e4]).to(dtype).requires_grad_()
    p = d.Bernoulli(logits=at)
    (slope,) = torch.autograd.grad(p.stddev.sum(), at)
    size = p.stddev.detach() / 2
    assert_close(slope, torch.tensor([1, 1, 0, -1, -1]).to(dtype) * size)


@every_dtype
def test_the_entropy_of_a_nearly_certain_bernoulli(dtype):
    """(1 + |l|) exp(-|l|), of which the likelier value's probability shows no digit."""
    at = torch.tensor([-60.0, -30.0, 30.0, 60.0]).to(dtype)
    found = d.Bernoulli(logits=at).entropy()
    size = at.double().abs()
    assert_close(found.double(), (1 + size) * torch.exp(-size), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_counts_of_a_huge_rate(dtype):
    """Beyond 2^63, where torch draws -9.2e18; the relative spread is that of a Poisson variable."""
    torch.manual_seed(0)
    log_rate = torch.tensor([25.0, 43.5, 45.0, 80.0], dtype=dtype)
    x = d.Poisson(log_rate=log_rate).sample((4000,)).double()
    rate = log_rate.double().exp()
    coarse = torch.finfo(dtype).eps * log_rate.double()
    spread = rate.rsqrt()
    assert ((x / rate - 1).abs() <= 6 * spread + 4 * coarse).all()
    if dtype == F64:
        held = spread > coarse
        assert_close((x / rate).std(0)[held], spread[held], rtol=0.1, atol=0)
    assert d.Poisson(log_rate=torch.tensor([1e3])).sample().isinf().all()


def test_negative_binomial_counts_at_their_limits():
    torch.manual_seed(0)
    shape, one = (2000,), torch.ones(2000)
    nothing = negative_binomial(one, math.exp(-100)).sample()
    assert not nothing.any()
    for mean in (1e30, 3e38):
        x = negative_binomial(torch.full(shape, mean), 1.0).sample().double()
        assert (x >= 0).all()
        low = (x < mean * math.log(2)).double().mean().item()  # the median of an exponential
        assert abs(low - 0.5) < 0.06
    x = negative_binomial(torch.full(shape, 4.0), 1e30).sample()
    assert abs(x.mean().item() - 4) < 0.3 and abs(x.var().item() - 4) < 0.8
    never = d.ZeroInflatedNegativeBinomial(torch.full(shape, 3e38), 1e-3, 1e3)
    assert not never.sample().any()


@pytest.mark.parametrize("t", [0.02, 0.3, 1.0, 6.0])
def test_small_inverse_dispersions_draw_the_probability_of_zero(t):
    torch.manual_seed(0)
    p = negative_binomial(torch.full((40_000,), 5.0, dtype=F64), t)
    zeros = (p.sample() == 0).double().mean().item()
    truth = (t / (t + 5)) ** t
    assert abs(zeros - truth) < 5 * math.sqrt(truth * (1 - truth) / 40_000)


def test_a_continuous_bernoulli_draws_no_value_outside(monkeypatch):
    """Also from the ends of the noise, which are drawn once in 2^24 times."""
    at = torch.tensor([1e-4, 1e-2, 1.0, 20.0, 1e4, 3e38])
    at = torch.cat([at, -at]).requires_grad_()
    ends = torch.tensor([[2.0**-25], [2.0**-24], [0.5], [1 - 2.0**-24]])
    name = "pyvae.distributions.continuous_bernoulli.uniform_noise"
    monkeypatch.setattr(name, lambda shape, like: ends.expand(4, len(at)).clone())
    x = d.ContinuousBernoulli(logits=at).rsample((4,))
    assert ((x >= 0) & (x <= 1)).all()
    assert torch.autograd.grad(x.sum(), at)[0].isfinite().all()


def test_a_discretized_logistic_of_any_spread_has_its_variance():
    """Of a narrow one there is nothing left when the squares of levels are subtracted."""
    mean = torch.tensor([0.2, 0.9, -0.99, 1.0, 5.0])
    for log_scale in (-7.0, -5.0, -2.0, 3.0):
        single = d.DiscretizedLogistic(mean, log_scale)
        double = d.DiscretizedLogistic(mean.double(), log_scale)
        mass = torch.arange(256, dtype=F64)[:, None]
        p = double.log_prob(mass).exp()
        variance = (p * (mass - (p * mass).sum(0)).square()).sum(0)
        assert_close(double.variance, variance, rtol=1e-9, atol=1e-300)
        assert_close(single.variance.double(), variance, rtol=2e-3, atol=1e-30)


def test_the_mean_of_a_clipped_logistic_of_any_spread():
    """-1 + the integral of sigmoid((m - t) / s) over [-1, 1]."""
    means, log_scales = grid(
        torch.tensor([0, 1e-3, 0.4, 0.999, 1, 1.1, 2, 5, 1e4, 1e30]),
        torch.tensor([-9.0, -7, -4, -1, -1e-3, 1e-3, 2, 6, 12, 20, 80]),
    )
    planes = torch.stack([torch.zeros_like(means), means, log_scales], -1)[..., None, None]
    for sign in (1, -1):
        planes[:, 1] *= sign
        found = d.DiscretizedLogisticMixture(planes, 1).mean.flatten() / 127.5 - 1
        t = torch.linspace(-1, 1, 200_001, dtype=F64)
        scale = log_scales.double().clamp(min=-7).exp()
        truth = [
            torch.trapezoid(torch.sigmoid((sign * m - t) / s), t) - 1
            for m, s in zip(means.double(), scale, strict=True)
        ]
        assert_close(found.double(), torch.stack(truth), rtol=1e-5, atol=3e-7)
        planes[:, 1] *= sign


def test_levels_of_an_infinite_scale_are_levels(monkeypatch):
    """Where the noise is 0, a scale that overflowed must not make it NaN."""
    monkeypatch.setattr(torch, "logit", torch.zeros_like)
    p = d.DiscretizedLogistic(torch.zeros(4), 100.0)
    assert (p.sample() == 128).all()
    planes = torch.tensor([0.0, 0.0, 100.0])[:, None, None]
    assert (d.DiscretizedLogisticMixture(planes, 1).sample() == 128).all()
