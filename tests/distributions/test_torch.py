"""The distributions equal those of ``torch.distributions`` in every method."""

import math

import pytest
import torch
from torch import distributions as td
from torch.distributions import kl_divergence

from pyvae.distributions import Bernoulli, DiagonalGaussian, StandardNormal, rsample_kl

F64 = torch.float64
# parameters' shape, event_ndim
SHAPES = [
    ((3, 4), 1),
    ((2, 3, 4), 2),
    ((2, 3, 4), 0),
    ((5,), 1),
    ((), 0),
]


def randn(*shape, seed=0):
    return torch.randn(shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def gaussians(shape, event_ndim, seed=0, **options):
    mean, logvar = randn(*shape, seed=seed), randn(*shape, seed=seed + 1)
    ours = DiagonalGaussian(mean, logvar, event_ndim=event_ndim, **options)
    normal = td.Normal(mean, (logvar / 2).exp(), **options)
    return ours, td.Independent(normal, event_ndim, **options)


def bernoullis(shape, event_ndim, seed=0, **options):
    logits = 2 * randn(*shape, seed=seed)
    ours = Bernoulli(logits=logits, event_ndim=event_ndim, **options)
    theirs = td.Bernoulli(logits=logits, **options)
    return ours, td.Independent(theirs, event_ndim, **options)


def data(pair, shape, seed=9):
    x = randn(*shape, seed=seed)
    return x if pair is gaussians else (x > 0).to(F64)


both = pytest.mark.parametrize("pair", [gaussians, bernoullis])
every_shape = pytest.mark.parametrize(("shape", "event_ndim"), SHAPES)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12, equal_nan=True)


@both
@every_shape
def test_every_property_and_method_equals_torch(pair, shape, event_ndim):
    ours, theirs = pair(shape, event_ndim)
    assert ours.batch_shape == theirs.batch_shape
    assert ours.event_shape == theirs.event_shape
    assert ours.has_rsample == theirs.has_rsample
    assert ours.has_enumerate_support == theirs.has_enumerate_support
    for name in ("mean", "mode", "variance", "stddev"):
        close(getattr(ours, name), getattr(theirs, name))
    close(ours.entropy(), theirs.entropy())
    if ours.event_shape == ():
        close(ours.perplexity(), theirs.perplexity())
    for sample_shape in [(), (1,), (6,), (2, 5)]:
        for value in (ours.sample(sample_shape), data(pair, (*sample_shape, *shape))):
            assert value.shape == (*sample_shape, *shape) and value.dtype == F64
            close(ours.log_prob(value), theirs.log_prob(value))
        assert torch.equal(ours.support.check(value), theirs.support.check(value))
    assert type(ours).__name__ in repr(ours)


@both
def test_batch_dimensions_broadcast(pair):
    ours, theirs = pair((3, 4), 1)
    for shape in [(4,), (1, 4), (3, 4), (7, 1, 4), (7, 3, 4), (2, 1, 3, 4)]:
        value = data(pair, shape)
        close(ours.log_prob(value), theirs.log_prob(value))
    one, theirs_one = pair((1, 2, 4), 2)  # a batch of one, and values of many
    value = data(pair, (5, 2, 4))
    close(one.log_prob(value), theirs_one.log_prob(value))


@both
@every_shape
def test_expand(pair, shape, event_ndim):
    ours, theirs = pair(shape, event_ndim)
    batch_shape = (5, 2, *ours.batch_shape)
    ours, theirs = ours.expand(batch_shape), theirs.expand(torch.Size(batch_shape))
    assert (ours.batch_shape, ours.event_shape) == (theirs.batch_shape, theirs.event_shape)
    value = data(pair, (3, *batch_shape, *ours.event_shape))
    close(ours.log_prob(value), theirs.log_prob(value))
    close(ours.entropy(), theirs.entropy())
    close(ours.variance, theirs.variance)
    assert ours.sample((2,)).shape == value[:2].shape


def test_samples_of_an_expanded_batch_are_independent():
    z = DiagonalGaussian(torch.zeros(1, 3), torch.zeros(1, 3)).expand((4,)).rsample()
    assert z.unique().numel() == 12
    z = StandardNormal((3,)).expand((4,)).rsample((2,))
    assert z.unique().numel() == 24


@both
@every_shape
def test_kl_equals_torch(pair, shape, event_ndim):
    (q, their_q), (p, their_p) = pair(shape, event_ndim), pair(shape, event_ndim, seed=5)
    close(kl_divergence(q, p), kl_divergence(their_q, their_p))
    close(kl_divergence(q, q), torch.zeros(q.batch_shape, dtype=F64))
    e = len(q.event_shape)
    lone, their_lone = pair(tuple(q.event_shape), e, seed=7)  # one p for all, one q for all
    close(kl_divergence(q, lone), kl_divergence(their_q, their_lone.expand(q.batch_shape)))
    close(kl_divergence(lone, q), kl_divergence(their_lone.expand(q.batch_shape), their_q))


@both
def test_gradients_equal_torch(pair):
    def gradients(which):
        leaves = [randn(3, 4, seed=s).requires_grad_() for s in (1, 2)]
        if pair is gaussians:
            ours = DiagonalGaussian(*leaves, event_ndim=1)
            theirs = td.Independent(td.Normal(leaves[0], (leaves[1] / 2).exp()), 1)
        else:
            ours = Bernoulli(logits=leaves[0], event_ndim=1)
            theirs = td.Independent(td.Bernoulli(logits=leaves[0]), 1)
        dist = (ours, theirs)[which]
        out = dist.log_prob(data(pair, (5, 3, 4))).sum() + dist.entropy().square().sum()
        out = out + dist.variance.sum() + kl_divergence(dist, dist.expand((3,))).sum()
        return torch.autograd.grad(out, leaves, allow_unused=True)

    for ours, theirs in zip(gradients(0), gradients(1), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            close(ours, theirs)


@pytest.mark.parametrize(
    "logvar", [0.3, torch.tensor(0.3, dtype=F64), randn(4), randn(3, 1, 1), randn(2, 1, 4)]
)
def test_a_logvar_that_broadcasts(logvar):
    mean = randn(1 if getattr(logvar, "ndim", 0) == 3 else 3, 2, 4)
    ours = DiagonalGaussian(mean, logvar, event_ndim=2)
    full = torch.as_tensor(logvar, dtype=F64)
    theirs = td.Independent(td.Normal(mean, (full / 2).exp()), 2)
    assert ours.batch_shape == theirs.batch_shape
    x = randn(5, *ours.batch_shape, 2, 4)
    close(ours.log_prob(x), theirs.log_prob(x))
    close(ours.entropy(), theirs.entropy())
    close(ours.variance, theirs.variance)
    close(
        kl_divergence(ours, StandardNormal((2, 4), dtype=F64)),
        kl_divergence(ours, DiagonalGaussian(torch.zeros(2, 4, dtype=F64), 0.0, event_ndim=2)),
    )
    assert ours.rsample((5,)).shape == x.shape


def test_samples_are_reparameterized():
    mean, logvar = randn(2, 3).requires_grad_(), randn(2, 3, seed=1).requires_grad_()
    seed = torch.tensor(7)
    q = DiagonalGaussian(mean, logvar)
    z = q.rsample((4,), seed=seed)
    eps = DiagonalGaussian(torch.zeros_like(mean), torch.zeros_like(mean)).rsample((4,), seed=seed)
    close(z, mean + (logvar / 2).exp() * eps)
    grads = torch.autograd.grad(z.sum(), (mean, logvar))
    close(grads[0], torch.full_like(mean, 4))
    close(grads[1], 0.5 * ((logvar / 2).exp() * eps).sum(0))
    assert not q.sample().requires_grad


@both
def test_samples_have_the_distributions_moments(pair):
    torch.manual_seed(0)
    ours, _ = pair((2, 3), 1)
    n = 100_000
    z = ours.sample((n,))
    bound = 5 * (ours.variance / n).sqrt()
    assert ((z.mean(0) - ours.mean).abs() < bound).all()
    assert ((z.var(0) / ours.variance - 1).abs() < 0.05).all()


@both
def test_the_seed_governs_the_samples(pair):
    ours, _ = pair((2, 3), 1)
    torch.manual_seed(3)
    first, second = ours.sample((50,)), ours.sample((50,))
    torch.manual_seed(3)
    assert torch.equal(ours.sample((50,)), first)
    assert not torch.equal(first, second)


def test_standard_normal_is_the_gaussian_at_zero():
    p = StandardNormal((2, 3), dtype=F64)
    theirs = td.Independent(td.Normal(torch.zeros(2, 3, dtype=F64), 1.0), 2)
    x = randn(5, 2, 3)
    close(p.log_prob(x), theirs.log_prob(x))
    close(p.entropy(), theirs.entropy())
    close(p.expand((5,)).log_prob(x), theirs.log_prob(x))
    q = DiagonalGaussian(randn(5, 2, 3), randn(5, 2, 3, seed=1), event_ndim=2)
    their_q = td.Independent(td.Normal(q.mean, q.stddev), 2)
    close(kl_divergence(q, p), kl_divergence(their_q, theirs.expand((5,))))
    close(kl_divergence(p, q), kl_divergence(theirs.expand((5,)), their_q))
    close(kl_divergence(p, p.expand((5,))), torch.zeros(5, dtype=F64))
    assert p.mean.untyped_storage().nbytes() == 8  # one number in memory


@pytest.mark.parametrize("prior", [StandardNormal((4,), dtype=F64), gaussians((4,), 1)[0]])
@pytest.mark.parametrize("sample_shape", [(), (5,)])
def test_rsample_kl_is_rsample_and_kl(prior, sample_shape):
    q, _ = gaussians((3, 4), 1)
    torch.manual_seed(0)
    z, kl = rsample_kl(q, prior, sample_shape)
    torch.manual_seed(0)
    close(z, q.rsample(sample_shape))
    close(kl, kl_divergence(q, prior))


@both
def test_kl_is_its_monte_carlo_mean(pair):
    torch.manual_seed(0)
    (q, _), (p, _) = pair((3, 4), 1), pair((3, 4), 1, seed=5)
    z = q.sample((50_000,))
    gap = q.log_prob(z) - p.log_prob(z)
    error = (gap.mean(0) - kl_divergence(q, p)).abs()
    assert (error < 5 * gap.std(0) / math.sqrt(len(z))).all()


def test_the_density_integrates_to_one():
    q = DiagonalGaussian(
        torch.tensor([0.3], dtype=F64), torch.tensor([-1.0], dtype=F64), event_ndim=1
    )
    x = torch.linspace(-8, 8, 4001, dtype=F64)
    close(torch.trapezoid(q.log_prob(x[:, None]).exp(), x), torch.ones((), dtype=F64))
    p = Bernoulli(logits=randn(3), event_ndim=1)
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 3)
    close(p.log_prob(every).exp().sum(), torch.ones((), dtype=F64))


@pytest.mark.parametrize(
    "make", [lambda p: DiagonalGaussian(p, p), lambda p: Bernoulli(logits=p, event_ndim=1)]
)
def test_empty_batches(make):
    dist = make(torch.zeros(0, 4))  # torch's own cannot be built from this
    value = dist.sample((2,))
    assert value.shape == (2, 0, 4)
    assert dist.log_prob(value).shape == (2, 0)
    assert dist.entropy().shape == kl_divergence(dist, dist).shape == (0,)
    assert dist.variance.shape == dist.expand((3, 0)).mean.shape[1:] == (0, 4)


def test_enumerate_support():
    ours, theirs = bernoullis((2, 3), 0)
    for expand in (True, False):
        close(ours.enumerate_support(expand), theirs.enumerate_support(expand))
    with pytest.raises(NotImplementedError):
        bernoullis((2, 3), 1)[0].enumerate_support()


def test_grey_levels_are_the_mean_over_binary_pixels():
    p = Bernoulli(logits=randn(1, 1), event_ndim=1)
    zero, half, one = (p.log_prob(torch.full((1, 1), v, dtype=F64)) for v in (0.0, 0.25, 1.0))
    close(half, 0.75 * zero + 0.25 * one)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8])
def test_integer_data(dtype):
    x = torch.tensor([[0, 1, 1]]).to(dtype)
    p = Bernoulli(logits=randn(1, 3), event_ndim=1)
    close(p.log_prob(x), p.log_prob(x.to(F64)))


@both
def test_bad_values_raise_where_validated(pair):
    ours, _ = pair((3, 4), 1)
    bad = math.nan if pair is gaussians else 1.5
    with pytest.raises(ValueError, match=r"log_prob: value must be"):
        ours.log_prob(torch.full((3, 4), bad, dtype=F64))
    for shape in [(3, 5), (3, 1), (4, 3), ()]:
        with pytest.raises(ValueError):
            ours.log_prob(torch.zeros(shape, dtype=F64))
    unchecked, _ = pair((3, 4), 1, validate_args=False)
    unchecked.log_prob(torch.full((3, 4), bad, dtype=F64))


def test_bad_parameters_raise():
    bad = torch.tensor([[1.0, math.nan]])
    for make in (
        lambda **o: DiagonalGaussian(bad, bad, **o),
        lambda **o: DiagonalGaussian(torch.zeros(1, 2), bad, **o),
        lambda **o: Bernoulli(logits=bad, event_ndim=1, **o),
    ):
        with pytest.raises(ValueError, match="Expected parameter"):
            make()
        assert make(validate_args=False).batch_shape == (1,)
    with pytest.raises(ValueError, match=r"do not broadcast: mean \(3, 4\), logvar \(3, 5\)"):
        DiagonalGaussian(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="event_ndim must lie between 0 and the 2 dimensions"):
        Bernoulli(logits=torch.zeros(3, 4), event_ndim=3)
    with pytest.raises(TypeError, match=r"floating-point tensor, got torch\.int64"):
        DiagonalGaussian(torch.zeros(3, 4, dtype=torch.int64), 0.0)
    with pytest.raises(TypeError, match="floating-point tensor, got list"):
        Bernoulli(logits=[0.0])


@both
def test_kl_of_different_events_raises(pair):
    with pytest.raises(ValueError, match="one event shape"):
        kl_divergence(pair((3, 4), 1)[0], pair((3, 4), 2)[0])
