"""Divergences between our distributions and torch's, both ways: those of torch's own."""

import math

import pytest
import torch
from torch import distributions as td
from torch.distributions import Independent, kl_divergence
from torch.testing import assert_close

from pyvae import distributions as d
from pyvae.distributions.twins import TWINS, as_ours, as_torch
from pyvae.posteriors.distribution import DistributionPosterior, families

F64 = torch.float64


def randn(*shape, seed=0):
    return torch.randn(shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def positive(t):
    return (t / 2).exp()


def share(t):
    return t.sigmoid()


def simplex(t):
    return t.softmax(-1)


def same(t):
    return t


# name: ours, torch's, and each parameter with what makes it of any real numbers
FAMILIES = {
    "bernoulli": (d.Bernoulli, td.Bernoulli, {"logits": same}),
    "bernoulli probs": (d.Bernoulli, td.Bernoulli, {"probs": share}),
    "categorical": (d.Categorical, td.Categorical, {"logits": same}),
    "categorical probs": (d.Categorical, td.Categorical, {"probs": simplex}),
    "continuous bernoulli": (d.ContinuousBernoulli, td.ContinuousBernoulli, {"logits": same}),
    "gaussian": (d.DiagonalGaussian, td.Normal, {"loc": same, "scale": positive}),
    "laplace": (d.Laplace, td.Laplace, {"loc": same, "scale": positive}),
    "one hot": (d.OneHot, td.OneHotCategorical, {"logits": same}),
    "poisson": (d.Poisson, td.Poisson, {"rate": positive}),
}
every = pytest.mark.parametrize("name", FAMILIES)


def twins(name, shape, n, seed=0):
    """Our distribution and torch's, with leaves of the parameters."""
    ours, theirs, makers = FAMILIES[name]
    classes = (4,) if ours in (d.Categorical, d.OneHot) else ()
    leaves = [2 * randn(*shape, *classes, seed=seed + k) for k in range(len(makers))]
    leaves = [t.requires_grad_() for t in leaves]
    given = {k: f(t) for (k, f), t in zip(makers.items(), leaves, strict=True)}
    if ours is d.OneHot:
        return d.OneHot(given["logits"].unsqueeze(-2)), theirs(**given), leaves
    twin = Independent(theirs(**given), n) if n else theirs(**given)
    return ours(**given, event_ndim=n), twin, leaves


def close(a, b):
    assert_close(a, b, rtol=1e-6, atol=1e-7)  # torch's clamps


@every
@pytest.mark.parametrize("n", [0, 1, 2])
def test_it_is_that_of_torch_whoever_made_which(name, n):
    if name == "one hot" and n:
        pytest.skip("its event is a vector")
    q, their_q, q_leaves = twins(name, (2, 3, 5), n)
    p, their_p, p_leaves = twins(name, (2, 3, 5), n, seed=7)
    truth = kl_divergence(their_q, their_p)
    slopes = torch.autograd.grad(truth.sum(), q_leaves + p_leaves, retain_graph=True)
    for pair in [(q, p), (q, their_p), (their_q, p)]:
        found = kl_divergence(*pair)
        assert found.shape == truth.shape
        close(found, truth)
        for slope, other in zip(
            torch.autograd.grad(found.sum(), q_leaves + p_leaves, retain_graph=True),
            slopes,
            strict=True,
        ):
            close(slope, other)
    for pair in [(q, q), (q, their_q), (their_q, q)]:
        close(kl_divergence(*pair), torch.zeros(truth.shape, dtype=F64))


@every
def test_one_for_all(name):
    n = 0 if name == "one hot" else 1
    q, their_q, _ = twins(name, (2, 3, 5), n)
    p, their_p, _ = twins(name, (5,), n, seed=7)
    truth = kl_divergence(their_q, their_p.expand(q.batch_shape))
    for pair in [(q, p), (q, their_p), (their_q, p)]:
        close(kl_divergence(*pair), truth)
    truth = kl_divergence(their_p.expand(q.batch_shape), their_q)
    for pair in [(p, q), (p, their_q), (their_p, q)]:
        close(kl_divergence(*pair), truth)


@every
def test_there_and_back(name):
    q, twin, _ = twins(name, (2, 3), 0 if name == "one hot" else 1)
    x = twin.sample((5,))
    for p in (as_ours(twin), as_ours(as_torch(q)), as_torch(as_ours(twin)), as_torch(q)):
        assert (p.batch_shape, p.event_shape) == (twin.batch_shape, twin.event_shape)
        close(p.log_prob(x), twin.log_prob(x))
    assert {type(as_ours(twin)), type(q)} == {FAMILIES[name][0]}


def test_every_twin_is_tested():
    tested = {theirs for _, theirs, _ in FAMILIES.values()}
    assert set(TWINS) - tested == {td.NegativeBinomial}  # of which no divergence is known
    for one in (d.NegativeBinomial(2.0, 0.5), td.NegativeBinomial(2.0, torch.tensor(0.5))):
        with pytest.raises(NotImplementedError):
            kl_divergence(one, d.NegativeBinomial(3.0, 0.5))


@pytest.mark.parametrize("standard", [True, False])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_gaussians_of_full_covariance(batch, standard):
    lower = randn(*batch, 4, 4).tril(-1) + torch.diag_embed(randn(*batch, 4).exp())
    full = td.MultivariateNormal(randn(*batch, 4), scale_tril=lower)
    ours = d.DiagonalGaussian(randn(4, seed=3), randn(4, seed=4))
    if standard:
        ours = d.StandardNormal((4,), dtype=F64)
    twin = td.MultivariateNormal(ours.mean, torch.diag_embed(ours.variance))
    close(kl_divergence(ours, full), kl_divergence(twin, full))
    close(kl_divergence(full, ours), kl_divergence(full, twin))
    wide = ours.expand((5, *batch))
    close(kl_divergence(wide, full), kl_divergence(twin, full).expand(5, *batch))
    with pytest.raises(ValueError, match="one event shape"):
        kl_divergence(d.StandardNormal((5,), dtype=F64), full)


def test_families_that_torch_alone_knows():
    """Closed forms between different families are torch's, also for ours."""
    loc, scale = randn(3), randn(3, seed=1).exp()
    normal, laplace = td.Normal(loc, scale), td.Laplace(loc + 1, scale)
    ours = d.DiagonalGaussian(loc=loc, scale=scale, event_ndim=0), d.Laplace(loc + 1, scale)
    truth = kl_divergence(laplace, normal)
    for pair in [(ours[1], ours[0]), (ours[1], normal), (laplace, ours[0])]:
        close(kl_divergence(*pair), truth)
    bits, counts = d.Bernoulli(share(loc)), d.Poisson(scale)
    close(kl_divergence(bits, counts), kl_divergence(td.Bernoulli(share(loc)), td.Poisson(scale)))
    rank1 = d.Rank1Gaussian(loc, loc, loc)
    close(
        kl_divergence(rank1, Independent(normal, 1)),
        kl_divergence(rank1, d.DiagonalGaussian(loc=loc, scale=scale)),
    )


def test_what_is_not_known_is_said():
    for q in (d.DiscretizedLogistic(torch.zeros(3), 0.0), d.Poisson(torch.ones(3))):
        for p in (td.Normal(torch.zeros(3), 1.0), d.Laplace(torch.zeros(3), 1.0)):
            with pytest.raises(NotImplementedError):
                kl_divergence(q, p)


@every
def test_different_events_raise(name):
    q, twin, _ = twins(name, (3, 5), 0)
    other = d.Bernoulli(torch.full((3, 4, 9), 0.5), event_ndim=2)
    for p in (other, as_torch(other)):
        for pair in [(q, p), (p, q)]:
            with pytest.raises(ValueError, match="one event shape"):
                kl_divergence(*pair)
    if name == "gaussian":
        with pytest.raises(ValueError, match="one event shape"):
            kl_divergence(d.DiagonalGaussian(torch.zeros(3, 5), 0.0), twin)


def test_subclasses_of_torchs_families_count():
    class Mine(td.Normal):
        pass

    q = d.DiagonalGaussian(randn(3), randn(3, seed=1))
    p = Independent(Mine(torch.zeros(3, dtype=F64), 1.0), 1)
    close(kl_divergence(q, p), kl_divergence(q, d.StandardNormal((3,), dtype=F64)))


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
def test_small_divergences_keep_their_digits(gap):
    """In float32, in which 1 + gap^2 / 2 is 1."""

    def laplace(dtype):
        a = torch.tensor([0.3, 0.3, 2.0], dtype=dtype)
        near = a + torch.tensor([0.0, gap, -gap], dtype=dtype)
        spread = torch.tensor([gap, 0.0, -gap], dtype=dtype)
        return d.Laplace(a, log_scale=0 * a), d.Laplace(near, log_scale=spread)

    def poisson(dtype):
        log_rate = torch.tensor([-3.0, 0.0, 4.0], dtype=dtype)
        return d.Poisson(log_rate=log_rate), d.Poisson(log_rate=log_rate + gap)

    for make in (laplace, poisson):
        single = [as_double(p) for p in make(torch.float32)]  # the same numbers in float64
        found = kl_divergence(*make(torch.float32)).double()
        assert_close(found, kl_divergence(*single), rtol=1e-4, atol=0)


def as_double(p):
    given = {name: t.double() for name, t in p._given.items()}
    return type(p)(**given)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_divergences_at_the_ends_are_finite_where_they_can_be(dtype):
    ends = torch.tensor([-80.0, -20.0, 0.0, 20.0, 80.0]).to(dtype)
    first, second = (t.reshape(-1) for t in torch.meshgrid(ends, ends, indexing="ij"))
    far = torch.full_like(first, 100.0)
    pairs = [
        lambda a, b: (d.Poisson(log_rate=a), d.Poisson(log_rate=b)),
        lambda a, b: (d.Laplace(0.0, log_scale=a), d.Laplace(far.to(a.dtype), log_scale=b)),
        lambda a, b: (d.Laplace(0.0, log_scale=a), d.Laplace(0.0, log_scale=b)),
        lambda a, b: (d.Bernoulli(logits=a), d.Bernoulli(logits=b)),
        lambda a, b: (d.ContinuousBernoulli(logits=a), d.ContinuousBernoulli(logits=b)),
    ]
    for at, make in enumerate(pairs):
        leaves = first.clone().requires_grad_(), second.clone().requires_grad_()
        found = kl_divergence(*make(*leaves))
        truth = kl_divergence(*make(first.double(), second.double()))
        held = truth < 1e37
        assert_close(found.detach().double()[held], truth[held], rtol=0.02, atol=0.02)
        for slope in torch.autograd.grad(found[held].sum(), leaves):
            assert not slope[held].isnan().any(), at


def test_rates_of_zero():
    none, some = torch.zeros(2), torch.tensor([2.0, 0.5])
    assert_close(kl_divergence(d.Poisson(none), d.Poisson(some)), some)
    assert kl_divergence(d.Poisson(some), d.Poisson(none)).tolist() == [math.inf] * 2
    assert kl_divergence(d.Poisson(none), d.Poisson(none)).tolist() == [0, 0]


@pytest.mark.parametrize("family", families())
def test_any_family_of_torchs_from_a_normal_prior(family):
    """In closed form where torch has one: it is the mean of log q - log p over samples."""
    torch.manual_seed(0)
    posterior = DistributionPosterior(3, 4, family=family).double()
    q, p = posterior(randn(5, 3)), d.StandardNormal((4,), dtype=F64)
    try:
        found = kl_divergence(q, p)
    except NotImplementedError:
        assert family not in ("Exponential", "Gamma", "Laplace", "Normal", "Uniform")
        return
    z = q.sample((20_000,))
    gap = q.log_prob(z) - p.log_prob(z)
    assert found.shape == (5,)
    if family == "Pareto":  # some of these have no second moment
        assert (found > 0).all()
        return
    assert ((gap.mean(0) - found).abs() < 6 * gap.std(0) / math.sqrt(len(z)) + 1e-5).all()
