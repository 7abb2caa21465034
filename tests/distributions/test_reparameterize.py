"""Samples follow the CDF they claim, and their gradients are those of a fixed noise's path."""

import math

import pytest
import torch
from scipy import stats

from pyvae.distributions import reparameterize as r

F64 = torch.float64
# family, parameters, the same in scipy
FAMILIES = {
    "exponential": (r.exponential, [1.7], stats.expon(scale=1 / 1.7)),
    "cauchy": (r.cauchy, [0.3, 2.0], stats.cauchy(0.3, 2.0)),
    "logistic": (r.logistic, [0.3, 2.0], stats.logistic(0.3, 2.0)),
    "rayleigh": (r.rayleigh, [1.3], stats.rayleigh(scale=1.3)),
    "pareto": (r.pareto, [1.3, 2.5], stats.pareto(2.5, scale=1.3)),
    "weibull": (r.weibull, [1.3, 0.7], stats.weibull_min(0.7, scale=1.3)),
    "reciprocal": (r.reciprocal, [0.5, 4.0], stats.reciprocal(0.5, 4.0)),
    "gompertz": (r.gompertz, [0.6, 1.4], stats.gompertz(0.6, scale=1 / 1.4)),
    "gumbel": (r.gumbel, [0.3, 2.0], stats.gumbel_r(0.3, 2.0)),
    "gaussian": (r.gaussian, [0.3, 2.0], stats.norm(0.3, 2.0)),
    "laplace": (r.laplace, [0.3, 2.0], stats.laplace(0.3, 2.0)),
    "student_t": (r.student_t(3.5), [0.3, 2.0], stats.t(3.5, 0.3, 2.0)),
    "uniform": (r.uniform, [-0.5, 2.0], stats.uniform(-0.5, 2.5)),
    "triangular": (r.triangular, [0.3, 2.0], stats.triang(0.5, -1.7, 4.0)),
    "lognormal": (r.lognormal, [0.3, 0.6], stats.lognorm(0.6, scale=math.exp(0.3))),
    "erlang": (r.erlang(4), [1.7], stats.gamma(4, scale=1 / 1.7)),
    "gamma": (r.gamma, [0.4, 1.7], stats.gamma(0.4, scale=1 / 1.7)),
    "large gamma": (r.gamma, [40.0, 1.7], stats.gamma(40.0, scale=1 / 1.7)),
    "chi_squared": (r.chi_squared, [3.3], stats.chi2(3.3)),
    "beta": (r.beta, [0.8, 2.2], stats.beta(0.8, 2.2)),
    "fisher_snedecor": (r.fisher_snedecor, [3.0, 5.5], stats.f(3.0, 5.5)),
}
sweep = pytest.mark.parametrize(("family", "values", "truth"), FAMILIES.values(), ids=FAMILIES)


def tensors(values, requires_grad=False):
    return [torch.tensor(v, dtype=F64, requires_grad=requires_grad) for v in values]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@sweep
@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_samples_have_the_cdf(family, values, truth, dtype):
    z = family(*[t.to(dtype) for t in tensors(values)], sample_shape=(4000,))
    assert z.dtype == dtype and z.isfinite().all()
    assert stats.kstest(z.double().numpy(), truth.cdf).pvalue > 1e-3


@sweep
def test_gradients_are_those_of_the_path(family, values, truth):
    parameters = tensors(values, requires_grad=True)
    noise = family.draw(*parameters, sample_shape=(50,))
    z = family(*parameters, noise=noise)
    assert torch.equal(z, family(*parameters, noise=noise))
    weights = torch.linspace(0.5, 1.5, 50, dtype=F64)
    slopes = torch.autograd.grad((weights * z).sum(), parameters)
    for i, slope in enumerate(slopes):
        ends = []
        for step in (-1e-6, 1e-6):
            moved = [v + step * (j == i) for j, v in enumerate(values)]
            ends.append((weights * family(*tensors(moved), noise=noise)).sum())
        gammas = family.parameters[0].startswith(("concentration", "df"))
        torch.testing.assert_close(
            slope, (ends[1] - ends[0]) / 2e-6, rtol=1e-3 if gammas else 1e-5, atol=1e-6
        )


def test_dirichlet():
    """Each share is a beta variable, and shares sum to one; gradients follow the path."""
    concentration = torch.tensor([0.6, 1.5, 3.0], dtype=F64, requires_grad=True)
    noise = r.dirichlet.draw(concentration, sample_shape=(4000,))
    z = r.dirichlet(concentration, noise=noise)
    torch.testing.assert_close(z.sum(-1), torch.ones(4000, dtype=F64))
    for i, a in enumerate(concentration.tolist()):
        rest = 5.1 - a
        assert stats.kstest(z[:, i].detach().numpy(), stats.beta(a, rest).cdf).pvalue > 1e-3
    few = noise[:20]
    assert torch.autograd.gradcheck(lambda a: r.dirichlet(a, noise=few), concentration, rtol=1e-2)


def test_parameters_broadcast_and_keep_their_dtype():
    z = r.gumbel(torch.zeros(3, 1), torch.ones(2), sample_shape=(5,))
    assert z.shape == (5, 3, 2) and z.dtype == torch.float32
    assert r.erlang(3)(torch.ones(2), sample_shape=(5,)).shape == (5, 2)
    assert r.beta(torch.ones(0), torch.ones(0)).shape == (0,)


def test_the_generator_governs_the_samples():
    first, second = (
        r.logistic(torch.zeros(4), torch.ones(4), generator=torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert torch.equal(first, second)


def test_extreme_shapes_of_a_gamma():
    u = torch.tensor([1e-6, 0.3, 0.999999], dtype=F64)
    for shape in (0.05, 1.0, 300.0, 1e4):
        z = r.gamma(*tensors([shape, 1.0]), noise=u)
        torch.testing.assert_close(
            z, torch.as_tensor(stats.gamma(shape).ppf(u.numpy())), rtol=1e-9, atol=1e-280
        )


def test_bad_arguments():
    with pytest.raises(TypeError, match="expected the parameters loc, scale, got 1"):
        r.gumbel(torch.zeros(2))
    with pytest.raises(TypeError, match="rate must be floating-point tensors"):
        r.exponential(torch.ones(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="whole number of at least 1, got 0"):
        r.erlang(0)
    with pytest.raises(ValueError, match="df must be positive, got -1"):
        r.student_t(-1)
