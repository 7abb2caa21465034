"""A part of an event that was observed: the law of its marginal, over every family."""

import pytest
import torch
from torch import distributions as td
from torch.distributions import Independent

from pyvae.distributions import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiagonalGaussian,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    GaussianMixture,
    Laplace,
    Masked,
    NegativeBinomial,
    OneHot,
    Poisson,
    RelaxedBernoulli,
    StandardNormal,
    ZeroInflatedNegativeBinomial,
    observed,
)

B, D = 4, 6
FAMILIES = {
    "bernoulli": (Bernoulli, {"logits": 0}),
    "bernoulli probs": (Bernoulli, {"probs": 1}),
    "relaxed": (RelaxedBernoulli, {"logits": 0}),
    "continuous": (ContinuousBernoulli, {"logits": 0}),
    "gaussian": (DiagonalGaussian, {"mean": 0, "logvar": 0}),
    "gaussian scale": (DiagonalGaussian, {"loc": 0, "scale": 1}),
    "laplace": (Laplace, {"loc": 0, "scale": 1}),
    "levels": (DiscretizedLogistic, {"mean": 0, "log_scale": 0}),
    "poisson": (Poisson, {"log_rate": 0}),
    "poisson rate": (Poisson, {"rate": 1}),
    "nb": (NegativeBinomial, {"mean": 1, "inverse_dispersion": 1}),
    "nb probs": (NegativeBinomial, {"total_count": 1, "probs": 1}),
    "zinb": (ZeroInflatedNegativeBinomial, {"mean": 1, "inverse_dispersion": 1, "zi_logits": 0}),
    "categorical": (Categorical, {"logits": 0}),
    "categorical probs": (Categorical, {"probs": 1}),
}
every = pytest.mark.parametrize("name", FAMILIES)


def parameters(name):
    made = {}
    for key, positive in FAMILIES[name][1].items():
        shape = (B, D, 3) if name.startswith("categorical") else (B, D)
        t = torch.randn(shape, dtype=torch.float64)
        t = t.sigmoid() * 0.9 if positive else t
        made[key] = t.requires_grad_()
    return made


def make(name, given, **options):
    return FAMILIES[name][0](**given, event_ndim=1, **options)


@every
def test_the_marginal_of_what_is_observed(name):
    """Values and gradients of the observed elements by themselves; others may be anything."""
    given = parameters(name)
    p = make(name, given)
    x = p.sample().double()
    mask = torch.rand(B, D) < 0.5
    alone = []
    for row, seen in enumerate(mask):
        some = {k: t[row : row + 1][:, seen] for k, t in given.items()}
        alone.append(make(name, some, validate_args=False).log_prob(x[row : row + 1, seen]))
    right = torch.cat(alone)
    x = torch.where(mask, x, torch.nan)
    masked = p.mask(mask)
    assert isinstance(masked, Masked)
    torch.testing.assert_close(masked.log_prob(x), right)
    leaves = list(given.values())
    found = torch.autograd.grad(masked.log_prob(x).sum(), leaves, retain_graph=True)
    for mine, true in zip(found, torch.autograd.grad(right.sum(), leaves), strict=True):
        torch.testing.assert_close(mine, true)
        assert (mine[~mask] == 0).all()
    assert p.mask(mask & False).log_prob(x).eq(0).all()
    assert masked.sample().shape == p.sample().shape and torch.equal(masked.mean, p.mean)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "categorical probs"])
def test_parameters_that_are_not_looked_at(name):
    """But for probabilities of classes, which are divided by their sum before any mask."""
    given = parameters(name)
    x = make(name, given).sample().double()
    mask = torch.rand(B, D) < 0.5
    spoilt = {
        k: t.detach().clone().masked_fill_(~(mask if t.ndim == 2 else mask[..., None]), torch.nan)
        for k, t in given.items()
    }
    spoilt = {k: t.requires_grad_() for k, t in spoilt.items()}
    value = make(name, spoilt, validate_args=False).mask(mask).log_prob(x)
    torch.testing.assert_close(value, make(name, given).mask(mask).log_prob(x))
    for grad in torch.autograd.grad(value.sum(), list(spoilt.values())):
        assert grad.isfinite().all()


@every
def test_values_are_validated_where_they_are_observed(name):
    p = make(name, {k: t.detach() for k, t in parameters(name).items()}, validate_args=True)
    x = p.sample().double()
    x[0, 0] = torch.nan
    mask = torch.ones(B, D, dtype=torch.bool)
    with pytest.raises(ValueError, match="value must be"):
        p.mask(mask).log_prob(x)
    mask[0, 0] = False
    assert p.mask(mask).log_prob(x).isfinite().all()


def test_impossible_values_count_only_where_observed():
    p = Bernoulli(torch.tensor([[0.0, 0.5]]), event_ndim=1)
    x = torch.ones(1, 2)
    assert p.mask(torch.tensor([True, True])).log_prob(x) == -torch.inf
    torch.testing.assert_close(
        p.mask(torch.tensor([False, True])).log_prob(x), torch.tensor([0.5]).log()
    )


def test_samples_and_batches_broadcast():
    p = DiagonalGaussian(torch.randn(3, B, D), torch.zeros(()))
    x, mask = torch.randn(B, D), torch.rand(B, D) < 0.5
    found = p.mask(mask).log_prob(x)
    each = DiagonalGaussian(p.mean, p.logvar, event_ndim=0).log_prob(x)
    torch.testing.assert_close(found, torch.where(mask, each, 0.0).sum(-1))
    assert p.mask(mask).expand((2, 3, B)).log_prob(x).shape == (2, 3, B)
    standard = StandardNormal((D,)).mask(mask).log_prob(x)
    torch.testing.assert_close(standard, torch.where(mask, x.square() + 1.8378771, 0).sum(-1) / -2)
    single = Poisson(torch.ones(3)).mask(torch.tensor([True, False, True]))
    assert single.log_prob(torch.tensor([1.0, -1.0, 0.0])).tolist() == [-1, 0, -1]


TORCH = {
    "student": (lambda t: td.StudentT(4.0, t, t.exp()), 1.5),
    "gamma": (lambda t: td.Gamma(t.exp(), t.exp()), 1.5),
    "beta": (lambda t: td.Beta(t.exp(), t.exp()), 0.5),
    "geometric": (lambda t: td.Geometric(logits=t), 3.0),
    "binomial": (lambda t: td.Binomial(5, logits=t), 3.0),
    "uniform": (lambda t: td.Uniform(t, t + 3), None),
    "log normal": (lambda t: td.LogNormal(t, t.exp()), 1.5),
}


@pytest.mark.parametrize("name", TORCH)
def test_families_of_torch(name):
    """NaN and what lies outside the support, where masked: no slope is NaN."""
    family, at = TORCH[name]
    t = torch.randn(B, D, dtype=torch.float64, requires_grad=True)
    x = family(t).sample() if at is None else torch.full((B, D), at, dtype=torch.float64)
    mask = torch.rand(B, D) < 0.5
    each = family(t).log_prob(x)
    expected = torch.where(mask, each, 0.0).sum(-1)
    for odd in (torch.nan, -7.0):
        p = observed(Independent(family(t), 1), mask)
        found = p.log_prob(torch.where(mask, x, odd))
        torch.testing.assert_close(found, expected)
        (grad,) = torch.autograd.grad(found.sum(), t)
        assert (grad[~mask] == 0).all() and grad.isfinite().all()


@pytest.mark.parametrize(
    "p",
    [
        OneHot(torch.zeros(2, 3, 4)),
        GaussianMixture(torch.zeros(5, 3), torch.zeros(5, 3)),
        td.MultivariateNormal(torch.zeros(3), torch.eye(3)),
    ],
    ids=lambda p: type(p).__name__,
)
def test_variables_that_depend_on_each_other_are_refused(p):
    with pytest.raises(NotImplementedError, match="the elements of an event depend on each other"):
        observed(p, torch.ones(p.event_shape, dtype=torch.bool))


def test_wrong_masks_are_named():
    p = Poisson(torch.ones(2, 3), event_ndim=1)
    with pytest.raises(TypeError, match=r"Poisson.mask: mask must be a bool tensor.*torch.float32"):
        p.mask(torch.ones(2, 3))
    with pytest.raises(TypeError, match=r"mask must be a bool tensor.*got list"):
        p.mask([True, False, True])
    with pytest.raises(ValueError, match=r"mask must broadcast to the shape \[2, 3\], got \[2, 2"):
        p.mask(torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"mask must broadcast to the shape \[4, 2, 3\], got \[5"):
        p.mask(torch.ones(5, 1, 3, dtype=torch.bool)).log_prob(torch.ones(4, 1, 3))
    with pytest.raises(ValueError, match="value must have the event shape"):
        p.mask(torch.ones(2, 3, dtype=torch.bool)).log_prob(torch.ones(2, 4))


def test_pixels_of_a_mixture_are_whole():
    p = DiscretizedLogisticMixture(torch.randn(B, 20, 2, 3), 2, validate_args=False)
    x, pixels = p.sample(), torch.rand(B, 1, 2, 3) < 0.5
    whole = p.mask(pixels.expand(B, 3, 2, 3))
    assert torch.equal(whole.log_prob(x), p.mask(pixels).log_prob(x))
    split = pixels.expand(B, 3, 2, 3).clone()
    split[:, 1] = False  # no pixel is whole
    assert (p.mask(split).log_prob(x) == 0).all()
    strict = DiscretizedLogisticMixture(p.params, 2, validate_args=True)
    strict.mask(pixels).log_prob(x)
    split[0, :, 0, 0] = torch.tensor([True, False, True])
    with pytest.raises(ValueError, match="channels of a pixel are observed together"):
        strict.mask(split).log_prob(x)


def test_one_graph():
    x, mask = torch.rand(B, D), torch.rand(B, D) < 0.5
    logits = torch.randn(B, D, requires_grad=True)

    def loss(logits):
        p = Bernoulli(logits=logits, event_ndim=1, validate_args=False)
        return p.mask(mask).log_prob(x).sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")(logits)
    torch.testing.assert_close(compiled, loss(logits))
