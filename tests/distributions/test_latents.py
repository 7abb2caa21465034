"""Distributions of latents: mixtures, flows, discrete ones, full covariance."""

import math

import pytest
import torch
from torch import distributions as td
from torch.distributions import kl_divergence

from pyvae.distributions import (
    DiagonalGaussian,
    FlowDistribution,
    GaussianMixture,
    OneHot,
    Planar,
    RelaxedBernoulli,
    StandardNormal,
)

F64 = torch.float64


def randn(*shape):
    return torch.randn(shape, dtype=F64)


def close(a, b, **tolerances):
    torch.testing.assert_close(a, b, **{"rtol": 1e-9, "atol": 1e-11, **tolerances})


# Mixtures of Gaussians


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_a_mixture_equals_that_of_torch(batch):
    means, logvars, log_weights = randn(*batch, 4, 2), randn(*batch, 4, 2), randn(*batch, 4)
    ours = GaussianMixture(means, logvars, log_weights)
    theirs = td.MixtureSameFamily(
        td.Categorical(logits=log_weights),
        td.Independent(td.Normal(means, (logvars / 2).exp()), 1),
    )
    assert (ours.batch_shape, ours.event_shape) == (theirs.batch_shape, theirs.event_shape)
    x = theirs.sample((5,))
    close(ours.log_prob(x), theirs.log_prob(x))
    close(ours.mean, theirs.mean)
    close(ours.variance, theirs.variance)
    wide = ours.expand((7, *batch))
    assert wide.sample((2,)).shape == (2, 7, *batch, 2)
    close(wide.log_prob(x[0]), theirs.log_prob(x[0]).expand(7, *batch))
    equal = GaussianMixture(means, logvars)
    close(equal.log_weights.exp().sum(-1), torch.ones(batch, dtype=F64))


def test_samples_of_a_mixture():
    p = GaussianMixture(3 * randn(2, 3, 2), randn(2, 3, 2), randn(2, 3))
    x = p.sample((100_000,))
    assert ((x.mean(0) - p.mean).abs() < 5 * (p.variance / 1e5).sqrt()).all()
    assert ((x.var(0) / p.variance - 1).abs() < 0.03).all()
    a, b = x[:50_000, 0, 0], x[:50_000, 0, 1]  # dependent, as the components say
    weights, means = p.log_weights[0].exp(), p.means[0]
    cross = (weights * means.prod(-1)).sum()
    assert ((a * b).mean() - cross).abs() < 5 * (a * b).std() / math.sqrt(50_000)


def test_the_path_of_one_dimension_keeps_the_cdf():
    """At a fixed uniform variable z solves F(z; theta) = u, whatever theta."""
    leaves = [randn(3, 1), randn(3, 1), randn(3)]

    def cdf(z, means, logvars, log_weights):
        below = torch.special.ndtr((z - means[:, 0]) / (logvars[:, 0] / 2).exp())
        return (log_weights.softmax(0) * below).sum(-1)

    leaves = [t.requires_grad_() for t in leaves]
    z = GaussianMixture(*leaves).rsample()
    slopes = torch.autograd.grad(z.sum(), leaves)
    point = z.detach().requires_grad_()
    u = cdf(point, *leaves)
    down, *across = torch.autograd.grad(u, [point, *leaves])
    for slope, other in zip(slopes, across, strict=True):
        close(slope, -other / down)


def test_the_gradient_of_a_mean_over_samples_of_a_mixture():
    """E f(z) for f = z, z^2 and z_1 z_2 z_3 is known, and so is its gradient."""
    leaves = [t.requires_grad_() for t in (randn(3, 3), randn(3, 3), randn(3))]
    p = GaussianMixture(*leaves)
    weights = leaves[2].softmax(0)
    product = (weights * leaves[0].prod(-1)).sum()
    truth = p.mean.sum() + (p.variance + p.mean.square()).sum() + product
    expected = torch.autograd.grad(truth, leaves, retain_graph=True)
    parts = []
    for _ in range(40):
        z = p.rsample((4000,))
        f = z.sum(-1) + z.square().sum(-1) + z.prod(-1)
        parts.append(torch.autograd.grad(f.mean(), leaves, retain_graph=True))
    for i, truth in enumerate(expected):
        found = torch.stack([part[i] for part in parts])
        error = found.std(0) / math.sqrt(len(parts))
        assert ((found.mean(0) - truth).abs() < 5 * error).all()


def test_a_mixture_of_one_is_a_gaussian():
    mean, logvar = randn(1, 2).requires_grad_(), randn(1, 2).requires_grad_()
    p = GaussianMixture(mean, logvar)
    x = randn(6, 2)
    close(p.log_prob(x), DiagonalGaussian(mean, logvar).log_prob(x))
    z = p.rsample((5,))
    grads = torch.autograd.grad(z.sum(), (mean, logvar))
    close(grads[0], torch.full_like(mean, 5))
    close(grads[1], (z.detach() - mean).sum(0, keepdim=True) / 2)


def test_bad_mixtures_raise():
    with pytest.raises(ValueError, match=r"logvars \(3, 2\) and log_weights \(4,\)"):
        GaussianMixture(randn(4, 2), randn(3, 2))
    with pytest.raises(ValueError, match="Expected parameter"):
        GaussianMixture(torch.full((2, 2), math.nan), randn(2, 2), validate_args=True)


# Flows


def planar(*batch):
    return Planar(2 * randn(*batch, 3), 2 * randn(*batch, 3), randn(*batch))


@pytest.mark.parametrize("batch", [(), (4,)])
def test_a_planar_map_is_invertible_and_knows_its_volume(batch):
    f = planar(*batch)
    x = 2 * randn(50, *batch, 3)
    y, volume = f.forward(x)
    back, again = f.inverse(y)
    close(back, x, atol=1e-9, rtol=1e-9)
    close(again, volume, atol=1e-9, rtol=1e-9)
    point = x[0].reshape(-1, 3)[0]
    single = f if not batch else Planar(f.u[0], f.w[0], f.b[0])
    if not batch:
        jacobian = torch.autograd.functional.jacobian(lambda v: single.forward(v)[0], point)
        close(single.forward(point)[1], torch.linalg.slogdet(jacobian)[1])


def test_the_inverse_of_a_planar_map_has_gradients():
    u, w, b, y = (t.requires_grad_() for t in (randn(3), randn(3), randn(), randn(3)))
    assert torch.autograd.gradcheck(lambda *a: Planar(*a[:3]).inverse(a[3]), (u, w, b, y))


def test_a_flow_integrates_to_one_and_samples_from_its_density():
    base = DiagonalGaussian(randn(1), randn(1), event_ndim=1)
    maps = [Planar(randn(1), randn(1), randn()) for _ in range(3)]
    p = FlowDistribution(base, maps)
    x = torch.linspace(-20, 20, 20_001, dtype=F64)
    density = p.log_prob(x[:, None]).exp()
    close(torch.trapezoid(density, x), torch.ones((), dtype=F64), rtol=1e-6)
    mean = torch.trapezoid(density * x, x)
    z = p.sample((100_000,))[:, 0]
    assert (z.mean() - mean).abs() < 5 * z.std() / math.sqrt(1e5)


def test_a_flow_knows_the_density_of_its_last_sample():
    u = randn(2, 3).requires_grad_()
    base = DiagonalGaussian(randn(2, 3), randn(2, 3), event_ndim=1)
    p = FlowDistribution(base, [Planar(u, randn(2, 3), randn(2))])
    z = p.rsample((5,))
    known = p.log_prob(z)
    close(known, p.log_prob(z.clone()), rtol=1e-8, atol=1e-8)
    first = torch.autograd.grad(known.sum(), u, retain_graph=True)
    close(first, torch.autograd.grad(p.log_prob(z.clone()).sum(), u), rtol=1e-7, atol=1e-7)
    z = p.sample()
    assert p.log_prob(z).requires_grad  # though the sample was drawn without
    with torch.no_grad():
        close(p.log_prob(z), p.log_prob(z.clone()), rtol=1e-8, atol=1e-8)
        z += 1  # no longer what was drawn
        close(p.log_prob(z), p.log_prob(z.clone()))
    wide = p.expand((7, 2))
    assert wide.rsample((4,)).shape == (4, 7, 2, 3)
    with pytest.raises(NotImplementedError):
        _ = p.mean


# Discrete latents


def test_codes_are_exact_and_relaxations_tend_to_them():
    p = OneHot(2 * randn(3, 2, 4), temperature=1e-4)
    z = p.sample((20_000,))
    assert z.shape == (20_000, 3, 8)
    assert set(z.unique().tolist()) == {0.0, 1.0}
    assert (z.unflatten(-1, (2, 4)).sum(-1) == 1).all()
    assert ((z.mean(0) - p.mean).abs() < 5 * (p.variance / 20_000).sqrt() + 1e-9).all()
    soft = p.rsample((20_000,))
    assert ((soft.mean(0) - p.mean).abs() < 5 * (p.variance / 20_000).sqrt() + 1e-3).all()
    theirs = td.Independent(td.OneHotCategorical(logits=p.logits), 1)
    codes = z.unflatten(-1, (2, 4))
    close(p.log_prob(z), theirs.log_prob(codes))
    close(p.entropy(), theirs.entropy())
    q = OneHot(randn(3, 2, 4))
    close(
        kl_divergence(p, q),
        kl_divergence(theirs, td.Independent(td.OneHotCategorical(logits=q.logits), 1)),
    )
    assert p.expand((5, 3)).sample().shape == (5, 3, 8)


@pytest.mark.parametrize("kind", ["one_hot", "bernoulli"])
def test_straight_through_samples_are_codes_with_a_gradient(kind):
    logits = randn(3, 2, 4).requires_grad_()
    if kind == "one_hot":
        p = OneHot(logits, 0.7, straight_through=True)
        soft = OneHot(logits, 0.7)
    else:
        p = RelaxedBernoulli(logits.flatten(1), 0.7, straight_through=True, event_ndim=1)
        soft = RelaxedBernoulli(logits.flatten(1), 0.7, event_ndim=1)
    torch.manual_seed(1)
    z = p.rsample((50,))
    torch.manual_seed(1)
    relaxed = soft.rsample((50,))
    close(z.detach(), z.detach().round())
    assert relaxed.detach().frac().abs().sum() > 0
    weights = randn(*z.shape)
    first = torch.autograd.grad((weights * z).sum(), logits)
    close(first, torch.autograd.grad((weights * relaxed).sum(), logits))


def test_a_relaxed_bernoulli_is_a_bernoulli():
    p, q = (RelaxedBernoulli(randn(3, 4), 0.5, event_ndim=1) for _ in range(2))
    theirs = [td.Independent(td.Bernoulli(logits=d.logits), 1) for d in (p, q)]
    z = p.sample((6,))
    close(p.log_prob(z), theirs[0].log_prob(z))
    close(kl_divergence(p, q), kl_divergence(*theirs))
    relaxed = td.RelaxedBernoulli(torch.tensor(0.5), logits=p.logits).sample((50_000,))
    ours = p.expand((50_000, 3)).rsample()
    assert (ours.mean(0) - relaxed.mean(0)).abs().max() < 0.02
    assert (ours.std(0) - relaxed.std(0)).abs().max() < 0.02


def test_bad_temperatures_raise():
    for make in (OneHot, RelaxedBernoulli):
        with pytest.raises(ValueError, match="temperature must be positive, got 0"):
            make(torch.zeros(2, 3), 0)
    with pytest.raises(ValueError, match=r"got \(2, 4\) and \(4, 2\)"):
        kl_divergence(OneHot(randn(2, 4)), OneHot(randn(4, 2)))


# Full covariance


@pytest.mark.parametrize("standard", [True, False])
def test_the_divergence_of_a_full_gaussian_from_a_diagonal_one(standard):
    lower = randn(3, 4, 4).tril(-1) + torch.diag_embed(randn(3, 4).exp())
    q = td.MultivariateNormal(randn(3, 4), scale_tril=lower)
    p = StandardNormal((4,), dtype=F64)
    if not standard:
        p = DiagonalGaussian(randn(4), randn(4), event_ndim=1)
    theirs = td.MultivariateNormal(p.mean, torch.diag_embed(p.variance))
    close(kl_divergence(q, p), kl_divergence(q, theirs))
    with pytest.raises(ValueError, match="one event shape"):
        kl_divergence(q, StandardNormal((5,), dtype=F64))
