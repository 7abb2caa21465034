"""What torch.distributions promises, held by torch's families and by ours in their place.

Each law runs over both classes of a family, made by the same arguments.
"""

import pytest
import torch
from torch.distributions import kl_divergence
from torch_families import (
    DIFFERENCES,
    F64,
    FAMILIES,
    attempt,
    both,
    close,
    every,
    every_example,
    expect_fault,
    family,
    made,
)

# Shapes


@both
@every_example
@pytest.mark.parametrize("sample_shape", [(), (1,), (2, 3), (0,)])
def test_shapes(name, k, whose, sample_shape):
    (p, _), (twin, _) = made(name, k, whose), made(name, k, "torch")
    assert (p.batch_shape, p.event_shape) == (twin.batch_shape, twin.event_shape)
    if 0 in sample_shape:
        expect_fault("no samples", name, whose)
    whole = (*sample_shape, *p.batch_shape, *p.event_shape)
    x = p.sample(torch.Size(sample_shape))
    assert x.shape == whole and x.dtype == twin.sample().dtype
    if p.has_rsample and twin.has_rsample:
        assert p.rsample(torch.Size(sample_shape)).shape == whole
    if x.numel():
        assert p.log_prob(x).shape == (*sample_shape, *p.batch_shape)
    for what in ("mean", "variance", "stddev", "mode"):
        found = attempt(lambda what=what: getattr(p, what))
        assert found is None or found.shape == p.batch_shape + p.event_shape
    entropy = attempt(p.entropy)
    assert entropy is None or entropy.shape == p.batch_shape
    if hasattr(twin, "param_shape"):
        last = 1 if name == "OneHotCategorical" and whose == "ours" else 0  # the group
        assert p.param_shape[-1:] == twin.param_shape[-1:]
        assert len(p.param_shape) == len(twin.param_shape) + last


@both
@every_example
def test_values_broadcast(name, k, whose):
    (p, _), (twin, _) = made(name, k, whose), made(name, k, "torch")
    one = twin.sample().reshape(-1, *twin.event_shape)[0]
    for shape in [(), (1,), (5, *[1] * len(p.batch_shape)), (4, *p.batch_shape)]:
        x = one.expand(torch.Size(shape) + p.event_shape)
        wide = torch.broadcast_shapes(shape, p.batch_shape)
        close(p.log_prob(x), twin.log_prob(x).expand(wide))


@both
@every
def test_values_that_do_not_fit_raise(name, whose):
    p, _ = made(name, 0, whose)
    for shape in [(7, 5), (9,)]:
        x = torch.zeros(shape)
        x[..., 0] = 1
        with pytest.raises((ValueError, RuntimeError)):
            p.log_prob(x)


@both
@every_example
def test_expand(name, k, whose):
    p, _ = made(name, k, whose)
    batch = (4, *p.batch_shape)
    wide = p.expand(torch.Size(batch))
    assert (wide.batch_shape, wide.event_shape) == (batch, p.event_shape)
    assert type(wide) is type(p) and wide.expand(torch.Size((2, *batch))).batch_shape == (2, *batch)
    x = p.sample((4,))
    close(wide.log_prob(x), p.log_prob(x))
    assert wide.sample((3,)).shape == (3, *batch, *p.event_shape)
    for what in ("mean", "variance"):
        mine = getattr(p, what)
        close(getattr(wide, what), mine.expand(4, *mine.shape), equal_nan=True)
    own = type("Own", (type(p),), {})  # a subclass stays what it is
    given = FAMILIES[name][0][k]
    assert type(own(**given).expand(torch.Size(batch))) is own


# Values


@both
@every_example
def test_log_prob_and_its_gradient(name, k, whose):
    (p, leaves), (twin, their_leaves) = made(name, k, whose), made(name, k, "torch")
    x = twin.sample((50,))
    close(p.log_prob(x), twin.log_prob(x))
    slopes = [
        torch.autograd.grad(of.log_prob(x).sum(), of_leaves)
        for of, of_leaves in ((p, leaves), (twin, their_leaves))
        if of_leaves
    ]
    if slopes and not (name == "NegativeBinomial" and (twin.total_count == 0).any()):
        close(slopes[0], slopes[-1])


@both
@every_example
def test_parameters_of_both_kinds(name, k, whose):
    (p, _), (twin, _) = made(name, k, whose), made(name, k, "torch")
    for what in type(twin).arg_constraints:
        assert what in type(p).arg_constraints
        theirs = getattr(twin, what)
        close(getattr(p, what).reshape(theirs.shape), theirs)


@both
@every_example
def test_moments_are_those_of_samples(name, k, whose):
    if (name, whose) == ("Categorical", "torch"):
        pytest.skip(DIFFERENCES["moments"])
    p, _ = made(name, k, whose)
    x = p.sample((40_000,)).double()
    slack = 6 * (p.variance / len(x)).sqrt() + 1e-6
    assert ((x.mean(0) - p.mean).abs() < slack).all()
    fourth = ((x - p.mean) ** 4).mean(0)
    assert ((x.var(0) - p.variance).abs() < 6 * (fourth / len(x)).sqrt() + 1e-6).all()
    close(p.stddev.square(), p.variance)


@both
@every_example
def test_no_sample_is_likelier_than_the_mode(name, k, whose):
    p, _ = made(name, k, whose)
    mode = attempt(lambda: p.mode)
    if mode is None or mode.isnan().any():
        pytest.skip("no mode is known")
    assert (p.log_prob(p.sample((500,))) <= p.log_prob(mode) + 1e-6).all()


@both
@every_example
def test_enumerated_values_are_all(name, k, whose):
    (p, _), (twin, _) = made(name, k, whose), made(name, k, "torch")
    assert bool(p.has_enumerate_support) == bool(twin.has_enumerate_support)
    if not twin.has_enumerate_support:
        with pytest.raises(NotImplementedError):
            p.enumerate_support()
        return
    for expand in (True, False):
        values, theirs = p.enumerate_support(expand), twin.enumerate_support(expand)
        assert torch.equal(values, theirs) and values.dtype == theirs.dtype
    probability = p.log_prob(p.enumerate_support()).exp()
    close(probability.sum(0), torch.ones(p.batch_shape))
    close(-(probability * p.log_prob(p.enumerate_support())).sum(0), p.entropy())


@both
@every_example
def test_entropy_is_the_mean_over_samples(name, k, whose):
    p, _ = made(name, k, whose)
    entropy = attempt(p.entropy)
    if entropy is None:
        assert name in ("Poisson", "NegativeBinomial")
        return
    found = -p.log_prob(p.sample((40_000,)))
    assert ((found.mean(0) - entropy).abs() < 6 * found.std(0) / 200 + 1e-6).all()
    close(p.perplexity(), entropy.exp())


@both
@every
def test_divergence_is_the_mean_over_samples(name, whose):
    q, _ = made(name, 0, whose)
    p, _ = made(name, 0, whose)
    given = {k: t.flip(-1) for k, t in FAMILIES[name][0][0].items()}
    p = family(name, whose)(**given)
    if attempt(lambda: kl_divergence(q, p)) is None:
        assert name == "NegativeBinomial"
        return
    x = q.sample((40_000,))
    gap = q.log_prob(x) - p.log_prob(x)
    assert ((gap.mean(0) - kl_divergence(q, p)).abs() < 6 * gap.std(0) / 200 + 1e-6).all()
    close(kl_divergence(q, q), torch.zeros(q.batch_shape))


@both
@every_example
def test_the_cdf_is_the_integral_of_the_density_and_icdf_its_inverse(name, k, whose):
    p, _ = made(name, k, whose)
    x = p.sample((100,)).double()
    if not name.startswith(("Laplace", "Normal", "Continuous")):
        for method in (p.cdf, p.icdf):
            with pytest.raises(NotImplementedError):
                method(x)
        return
    x = x.requires_grad_()
    (slope,) = torch.autograd.grad(p.cdf(x).sum(), x)
    close(slope, p.log_prob(x).exp(), rtol=1e-4, atol=1e-5)
    u = torch.linspace(0.01, 0.99, 99, dtype=F64).reshape(-1, *[1] * len(p.batch_shape))
    close(p.cdf(p.icdf(u)), u.expand(99, *p.batch_shape), rtol=1e-4, atol=1e-5)
    assert (p.icdf(u).diff(dim=0) > 0).all()
    drawn = p.sample((20_000,)).double()
    below = (drawn < p.icdf(torch.tensor(0.25, dtype=F64))).double().mean(0)
    assert ((below - 0.25).abs() < 0.02).all()
