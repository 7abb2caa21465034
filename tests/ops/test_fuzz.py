"""Kernels against specifications and mpmath on random extremes, within the bounds of docs/ops.md.

A result is off by at most a stated number of units. A unit is the dtype's epsilon times the result,
or times what moves in it when its arguments move by themselves, whichever is more: where the last
digit of an argument changes the fifth of the result, nobody can know the sixth.

``pytest tests/ops/test_fuzz.py --fuzz 60 -s`` goes on for so many seconds with each op and dtype,
and prints how many rows it tried and how far off the worst results were.
"""

import math
import re
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mpmath
import pytest
import torch
from mpmath import exp, expm1, log, log1p, loggamma, sinh

from pyvae import functional as F
from pyvae import reference
from pyvae.testing import CASES

F32, F64 = torch.float32, torch.float64
DTYPES = [F32, F64, torch.bfloat16, torch.float16]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: str(t).split(".")[1])
DOCS = Path(__file__).parents[2] / "docs" / "ops.md"


class Drawn:
    """Arguments of n rows, most of them ordinary, some of them extreme."""

    def __init__(self, n, seed):
        self.n, self.random = n, torch.Generator().manual_seed(seed)

    def normal(self, *shape):
        return torch.randn(self.n, *shape, generator=self.random, dtype=F64)

    def uniform(self, low, high, *shape):
        u = torch.rand(self.n, *shape, generator=self.random, dtype=F64)
        return low + (high - low) * u

    def some(self, often, seldom, share=0.5):
        return torch.where(self.uniform(0, 1, *often.shape[1:]) < share, seldom, often)

    def real(self, largest=30, *shape):
        """Of either sign, in [1e-largest, 1e largest]."""
        size = 10 ** self.uniform(-largest, largest, *shape)
        return self.some(3 * self.normal(*shape), size * self.normal(*shape).sign())

    def positive(self, largest=30):
        return self.some(self.normal().exp(), 10 ** self.uniform(-largest, largest))

    def logarithm(self, low, high, *shape):
        return self.some(self.normal(*shape), self.uniform(low, high, *shape))

    def counts(self, largest=6):
        rates = self.some(3 * self.normal().exp(), 10 ** self.uniform(0, largest))
        return torch.poisson(rates, generator=self.random)

    def fraction(self):
        u = self.uniform(0, 1)
        return self.some(u, u.round(), 0.3)

    def away(self, mean, scale):
        """Some deviations from the mean, or anywhere."""
        return self.some(mean + scale * 3 * self.normal(), self.real(18), 0.3)


def gaussian_log_prob(d):
    mean, logvar = d.real(18), d.logarithm(-170, 170)
    return {"x": d.away(mean, (logvar / 2).exp()), "mean": mean, "logvar": logvar}


def gaussian_kl(d):
    mean, logvar = d.real(18), d.logarithm(-80, 80)
    prior = d.some(logvar + d.normal(), d.logarithm(-80, 80))
    at = d.away(mean, (prior / 2).exp())
    return {"mean": at, "logvar": logvar, "prior_mean": mean, "prior_logvar": prior}


def laplace(d):
    mean, log_scale = d.real(18), d.logarithm(-86, 86)
    return {"x": d.away(mean, log_scale.exp()), "mean": mean, "log_scale": log_scale}


def discretized(d):
    level = d.uniform(-0.5, 255.5).round()
    log_scale = d.logarithm(-9, 40)
    near = 2 * level / 255 - 1 + log_scale.clamp(min=-7).exp() * d.normal()
    return {"x": level.to(torch.uint8), "mean": d.some(near, d.real(6)), "log_scale": log_scale}


def poisson(d):
    x = d.counts()
    near = (x + 1).log() + d.normal() / (x + 1).sqrt()
    return {"x": x, "log_rate": d.some(near, d.uniform(-80, 80))}


def negative_binomial(d):
    x = d.counts()
    near = (x + 0.5) * (1 + d.normal() / (x + 1).sqrt()).abs()
    return {"x": x, "mean": d.some(near, d.positive()), "inverse_dispersion": d.positive()}


def zero_inflated(d):
    return {**negative_binomial(d), "zi_logits": d.real(4)}


def by_log_mean(d, zero_inflated=False):
    """Means from some 1e-90 to 1e90, dispersions that are not as extreme."""
    x = d.counts()
    near = (x + 0.5).log() + d.normal() / (x + 1).sqrt()
    log_mean = d.some(near, d.uniform(-200, 200))
    given = {"x": x, "log_mean": log_mean, "inverse_dispersion": d.positive(25)}
    return {**given, "zi_logits": d.real(4)} if zero_inflated else given


def posterior(d):
    return {"mean": d.real(15), "logvar": d.logarithm(-80, 80)}


def posterior_and_prior(d):
    prior_logvar = d.logarithm(-60, 60)
    given = {"mean": d.real(10), "logvar": d.logarithm(-60, 60)}
    return {**given, "prior_mean": d.real(10), "prior_logvar": prior_logvar}


def rank1(d):
    u = d.some(d.normal(3), d.real(3, 3))
    return {"mean": d.real(3, 3), "log_precision": d.logarithm(-12, 12, 3), "u": u}


def categorical(d):
    logits = d.some(3 * d.normal(1, 5), d.real(6, 1, 5), 0.3)
    return {"x": d.uniform(-0.5, 4.5, 1).round().long().clamp(0, 4), "logits": logits}


def mixture(d):
    """Few components for all points: as many problems as there are draws."""
    means, logvars = d.real(6, 2)[:5], d.logarithm(-40, 40, 2)[:5]
    which = (d.uniform(0, 5)).long().clamp(max=4)
    z = means[which] + (logvars[which] / 2).exp() * d.normal(2)
    return {"z": z, "means": means, "logvars": logvars, "log_weights": d.real(2)[:5]}


def logistic_mixture(d):
    params = 2 * d.normal(20, 1, 1)
    params[:, 4:6] = d.logarithm(-9, 30, 2, 1, 1)
    params[:, 2:4] = d.real(3, 2, 1, 1)
    return {"x": d.uniform(-0.5, 255.5, 3, 1, 1).round().to(torch.uint8), "params": params}


# What mpmath makes of one row.


def exact_gaussian(x, mean, v):
    return -(log(2 * mpmath.pi) + v + (x - mean) ** 2 * exp(-v)) / 2


def exact_kl(mean, v, prior_mean, p):
    return (expm1(v - p) - (v - p) + (mean - prior_mean) ** 2 * exp(-p)) / 2


def exact_negative_binomial(x, m, t):
    ways = loggamma(x + t) - loggamma(t) - loggamma(x + 1)
    return ways + t * log(t / (t + m)) + (x * log(m / (t + m)) if x else 0)


def exact_zero_inflated(x, m, t, logit):
    counted = exact_negative_binomial(x, m, t) - log1p(exp(logit))
    return counted if x else log(exp(counted) + 1 / (1 + exp(-logit)))


def of_log_mean(exact):
    return lambda x, log_mean, *rest: exact(x, exp(log_mean), *rest)


def exact_continuous(x, logit):
    if not logit:
        return mpmath.mpf(0)
    return (x - mpmath.mpf(1) / 2) * logit - log(sinh(logit / 2) / (logit / 2))


def exact_discretized(level, mean, s):
    half = mpmath.mpf(1) / 255
    scale = exp(max(s, mpmath.mpf(-7)))
    above, below = ((2 * level / 255 - 1 - mean + side * half) / scale for side in (1, -1))
    sides = (-log1p(exp(-above)) if level < 255 else 0, -log1p(exp(below)) if level > 0 else 0)
    return sum(sides) + (log(-expm1(below - above)) if 0 < level < 255 else 0)


def exact_rank1(*numbers):
    """The sum of a sample and its KL: Rezende, Mohamed and Wierstra 2014, equation 15."""
    mean, log_precision, u, eps = (numbers[k : k + 3] for k in range(0, 12, 3))
    w = [exp(-x / 2) for x in log_precision]
    s = sum((a * b) ** 2 for a, b in zip(w, u, strict=True))
    h = [a * b / mpmath.sqrt(1 + s) for a, b in zip(w, u, strict=True)]
    kappa = mpmath.sqrt(1 + s) / (1 + mpmath.sqrt(1 + s))
    along = kappa * sum(a * b for a, b in zip(h, eps, strict=True))
    z = sum(mean) + sum(a * (e - b * along) for a, b, e in zip(w, h, eps, strict=True))
    trace = sum(a * a * (1 - b * b) for a, b in zip(w, h, strict=True))
    return z + (trace - 3 + sum(x * x for x in mean) + log(1 + s) + sum(log_precision)) / 2


@dataclass(frozen=True)
class Subject:
    """An op, how its arguments are drawn, and what one row is in many digits."""

    draw: Any
    exact: Any = None
    data: tuple[str, ...] = ()  # arguments without a gradient
    positive: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    function: str = ""  # of pyvae.functional, where it is not the name
    reference: str = ""  # of pyvae.reference, likewise
    shared: bool = False  # arguments that all rows have in common
    noise: bool = False
    least: tuple[float, float] = (0.0, 1e-18)  # of the gradients: see off()


count_parameters = ("mean", "inverse_dispersion")
path = (("num_samples", 1), ("path_derivative", True))
SUBJECTS = {
    "gaussian_log_prob": Subject(gaussian_log_prob, exact_gaussian, least=(0.0, 0.0)),
    "gaussian_kl": Subject(gaussian_kl, exact_kl, least=(0.0, 0.0)),
    "gaussian_rsample": Subject(posterior, noise=True),
    "gaussian_rsample_kl": Subject(posterior, noise=True),
    "gaussian_rsample_log_ratio": Subject(
        posterior_and_prior, options=(("num_samples", 1),), noise=True
    ),
    "gaussian_rsample_log_ratio, path": Subject(
        posterior_and_prior, options=path, function="gaussian_rsample_log_ratio", noise=True
    ),
    "rank1_gaussian_rsample_kl": Subject(rank1, exact_rank1, noise=True, least=(1.0, 0.0)),
    "bernoulli_log_prob": Subject(
        lambda d: {"x": d.fraction(), "logits": d.real(8)},
        lambda x, logit: x * logit - log1p(exp(logit)),
    ),
    "continuous_bernoulli_log_prob": Subject(
        lambda d: {"x": d.fraction(), "logits": d.real(4)}, exact_continuous
    ),
    "laplace_log_prob": Subject(
        laplace,
        lambda x, m, s: -abs(x - m) * exp(-s) - s - log(mpmath.mpf(2)),
        least=(0.0, 0.0),
    ),
    "discretized_logistic_log_prob": Subject(
        discretized, exact_discretized, data=("x",), least=(0.0, 1e-16)
    ),
    "poisson_log_prob": Subject(
        poisson, lambda x, r: (x * r if x else 0) - exp(r) - loggamma(x + 1)
    ),
    "negative_binomial_log_prob": Subject(
        negative_binomial, exact_negative_binomial, positive=count_parameters
    ),
    "zero_inflated_negative_binomial_log_prob": Subject(
        zero_inflated, exact_zero_inflated, positive=count_parameters, least=(1.0, 0.0)
    ),
    "negative_binomial_log_prob_log_mean": Subject(
        by_log_mean,
        of_log_mean(exact_negative_binomial),
        positive=("inverse_dispersion",),
        options=(("mean", None),),
        function="negative_binomial_log_prob",
        reference="negative_binomial_log_prob_log_mean",
    ),
    "zero_inflated_negative_binomial_log_prob_log_mean": Subject(
        partial(by_log_mean, zero_inflated=True),
        of_log_mean(exact_zero_inflated),
        positive=("inverse_dispersion",),
        options=(("mean", None),),
        function="zero_inflated_negative_binomial_log_prob",
        reference="zero_inflated_negative_binomial_log_prob_log_mean",
        least=(1.0, 0.0),
    ),
    "discretized_logistic_mixture_log_prob": Subject(
        logistic_mixture,
        data=("x",),
        options=(("num_mixtures", 2),),
        least=(1.0, 0.0),
    ),
    "categorical_log_prob": Subject(categorical, data=("x",), least=(1.0, 0.0)),
    "gaussian_mixture_log_prob": Subject(mixture, shared=True),
}


def bounds():
    """The table of docs/ops.md: op -> (value, gradients) in float32, the same in float64."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+), (\d+) \| (\d+), (\d+) \|$", DOCS.read_text(), re.M)
    return {name: [int(n) for n in numbers] for name, *numbers in rows}


BOUNDS = bounds()


def call(subject, name, given, specification=None, eps=None):
    """Results, and gradients by name, of sums over all rows."""
    function = subject.function or name
    given = {k: t.detach().clone().requires_grad_(k not in subject.data) for k, t in given.items()}
    options = dict(subject.options)
    if specification is None:
        if subject.noise:
            options["seed"] = torch.tensor(11)
        results = getattr(F, function)(**given, **options)
    else:
        options = {k: v for k, v in options.items() if v is not None}
        results = specification(subject.reference or function, given, options, eps)
    results = results if isinstance(results, tuple) else (results,)
    leaves = [t for t in given.values() if t.requires_grad]
    grads = torch.autograd.grad([r.sum() for r in results], leaves)
    names = [k for k, t in given.items() if t.requires_grad]
    return [r.detach() for r in results], dict(zip(names, grads, strict=True))


def specification(monkeypatch, function, given, options, eps):
    """The reference, with the kernel's own noise."""
    for module in ("gaussian", "rank1"):
        name = f"pyvae.reference.{module}.philox_normal"
        monkeypatch.setattr(name, lambda seed, shape, dtype: eps.reshape(shape).to(dtype))
    seed = (torch.tensor(11),) if eps is not None else ()
    meaning = getattr(reference, function)
    if function in ("gaussian_rsample", "gaussian_rsample_kl"):
        return meaning(*given.values(), *seed, given["mean"].shape)
    if function == "gaussian_rsample_log_ratio":
        shape = (1, *given["mean"].shape)
        return meaning(*given.values(), *seed, shape, 2, options.get("path_derivative", False))
    return meaning(*given.values(), *options.values(), *seed)


def exactly(subject, given, eps, results, grads):
    """Values and slopes of each row in many digits, in place of the specification's."""
    width = next(iter(given.values())).shape[1]
    tensors = [t.reshape(-1, width) for t in given.values()] + [eps] * subject.noise
    with mpmath.workdps(220):
        for i, row in enumerate(zip(*(t.tolist() for t in tensors), strict=True)):
            at = [mpmath.mpf(x) for part in row for x in part]
            if not subject.noise:
                results[0][i] = float(subject.exact(*at))
            for k, name in enumerate(given):
                for j in range(k * width, (k + 1) * width):
                    if name not in grads or at[j] == 0:  # no step to either side of 0
                        continue
                    step = abs(at[j]) * mpmath.mpf(10) ** -30
                    ends = [subject.exact(*at[:j], at[j] + s, *at[j + 1 :]) for s in (step, -step)]
                    slope = float((ends[0] - ends[1]) / (2 * step))
                    grads[name].view(-1, width)[i, j - k * width] = slope


def off(ours, true, moved, dtype, compute, unit_of, nothing):
    """How many units off each number is, where the dtype can hold it.

    A unit is no less than that of the number ``unit_of``, and what is below ``nothing`` is none.
    """
    eps, limits = torch.finfo(compute).eps, torch.finfo(dtype)
    unit = eps * torch.maximum(true.abs(), moved).clamp(min=unit_of)
    held = (true.abs() < limits.max / 8) & (unit < limits.max * eps) & true.isfinite()
    lost = max(2 * limits.tiny, nothing) + true.abs() * (limits.eps - eps)
    error = ((ours.double() - true).abs() - lost).clamp(min=0).nan_to_num(math.inf, math.inf)
    return torch.where(held, error / unit.clamp(min=torch.finfo(F64).tiny), 0.0)


def fuzz(name, subject, dtype, n, seed, monkeypatch, exact=False):
    """The worst value and gradient of n rows, in units, with the arguments that gave it."""
    compute = F64 if dtype == F64 else F32
    given = {}
    for key, t in subject.draw(Drawn(n, seed)).items():
        t = t if t.ndim > 1 or subject.shared else t[:, None]
        top = torch.finfo(dtype).max
        given[key] = t.clamp(-top, top).to(dtype) if t.is_floating_point() else t
        if key in subject.positive:
            given[key] = given[key].clamp(min=torch.finfo(dtype).tiny)
    ours, slopes = call(subject, name, given)
    eps = None
    if subject.noise:
        zero = torch.zeros_like(given["mean"], dtype=compute)
        eps = F.gaussian_rsample(zero, zero, seed=torch.tensor(11)).double()
    of = partial(specification, monkeypatch)
    wide = {k: t.double() if t.is_floating_point() else t for k, t in given.items()}
    true, true_slopes = call(subject, name, wide, of, eps)
    # What moves in the specification when one argument after the other moves by 2^-30 of itself.
    moved, moved_slopes = [torch.zeros_like(t) for t in true], {}
    signs = Drawn(n, seed + 1)
    for key in [*(k for k in wide if wide[k].is_floating_point()), *["eps"] * subject.noise]:
        most, most_slopes = [torch.zeros_like(t) for t in true], {}
        for _ in range(1 if wide[next(iter(wide))].shape[1:].numel() == 1 else 4):
            moving = eps if key == "eps" else wide[key]
            sign = torch.randn(moving.shape, generator=signs.random, dtype=F64).sign()
            near = moving * (1 + 2.0**-30 * sign)
            args, noise = (wide, near) if key == "eps" else ({**wide, key: near}, eps)
            others, other_slopes = call(subject, name, args, of, noise)
            most = [
                torch.maximum(m, (a - b).abs()) for m, a, b in zip(most, others, true, strict=True)
            ]
            for k, t in other_slopes.items():
                step = (t - true_slopes[k]).abs()
                most_slopes[k] = torch.maximum(most_slopes.get(k, step), step)
        moved = [m + 2.0**30 * a for m, a in zip(moved, most, strict=True)]
        for k, t in most_slopes.items():
            moved_slopes[k] = moved_slopes.get(k, 0) + 2.0**30 * t
    if exact:
        exactly(subject, wide, eps, true, true_slopes)
    value = [
        off(a, b, m, a.dtype, compute, 1.0, 0.0).max().item()
        for a, b, m in zip(ours, true, moved, strict=True)
    ]
    found = {
        k: off(slopes[k], true_slopes[k], moved_slopes[k], dtype, compute, *subject.least)
        for k in true_slopes
    }
    place = {
        k: t.reshape(n, -1).amax(1).argmax() if not subject.shared else 0 for k, t in found.items()
    }
    worst = {
        k: f"{t.max():.1f} units in the gradient of {k} in row {place[k]} of seed {seed}"
        for k, t in found.items()
    }
    grads = max(t.max().item() for t in found.values())
    return max(value), grads, f"{max(value):.1f} units in the value; {', '.join(worst.values())}"


@every_dtype
@pytest.mark.parametrize("name", SUBJECTS)
def test_within_the_documented_bounds(name, dtype, monkeypatch, request):
    subject = SUBJECTS[name]
    seconds, end = request.config.getoption("--fuzz"), time.monotonic()
    end += seconds
    exact = dtype == F64 and subject.exact is not None
    n, tried, worst = (60 if exact else 2000), 0, [0.0, 0.0]
    most = BOUNDS[subject.reference or subject.function or name][2 * (dtype == F64) :][:2]
    seed = 0
    while seed == 0 or time.monotonic() < end:
        *units, what = fuzz(name, subject, dtype, n, seed, monkeypatch, exact)
        assert units[0] <= most[0] and units[1] <= most[1], what
        worst, tried = [max(a, b) for a, b in zip(worst, units, strict=True)], tried + n
        seed += 2 if seed or not seconds else int(time.time())
    print(f"\n{name} {dtype}: {tried} rows, at most {worst[0]:.1f} and {worst[1]:.1f} units")


def test_every_density_has_a_bound():
    functions = [case.function for case in CASES.values() if "elbo" not in case.name]
    names = {f.__name__ for f in functions}
    made_of_others = {"mmd"}
    fuzzed = {s.reference or s.function or name for name, s in SUBJECTS.items()}
    assert set(BOUNDS) == names - made_of_others == fuzzed
