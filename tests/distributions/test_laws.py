"""Every distribution over an op: it sums to one, its samples have its moments, its shapes hold."""

import math

import pytest
import torch
from torch import distributions as td

from pyvae import distributions as d

F64 = torch.float64


def randn(*shape, seed=0, dtype=F64):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def poisson(shape, **options):
    return d.Poisson(log_rate=randn(*shape), **options)


def negative_binomial(shape, **options):
    theta = randn(*shape[-1:], seed=1).exp() + 1
    return d.NegativeBinomial(mean=randn(*shape).exp(), inverse_dispersion=theta, **options)


def zero_inflated(shape, **options):
    theta, zi = randn(*shape[-1:], seed=1).exp() + 1, randn(*shape, seed=2)
    return d.ZeroInflatedNegativeBinomial(randn(*shape).exp(), theta, zi, **options)


def categorical(shape, **options):
    return d.Categorical(logits=2 * randn(*shape, 7), **options)


def discretized_logistic(shape, **options):
    return d.DiscretizedLogistic(randn(*shape), randn(*shape, seed=1) - 2, **options)


def laplace(shape, **options):
    return d.Laplace(mean=randn(*shape), log_scale=randn(*shape, seed=1), **options)


def continuous_bernoulli(shape, **options):
    return d.ContinuousBernoulli(logits=3 * randn(*shape), **options)


# name: how to make one, and what its values are
COUNTS, CLASSES, LEVELS = torch.arange(3000.0), torch.arange(7.0), torch.arange(256.0)
REAL = torch.linspace(-60, 60, 2_000_001, dtype=F64)
UNIT = torch.linspace(0, 1, 20_001, dtype=F64)
MAKERS = {
    poisson: COUNTS,
    negative_binomial: COUNTS,
    zero_inflated: COUNTS,
    categorical: CLASSES,
    discretized_logistic: LEVELS,
    laplace: REAL,
    continuous_bernoulli: UNIT,
}
every = pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.__name__)


def close(a, b, **tolerances):
    torch.testing.assert_close(a, b, **{"rtol": 1e-9, "atol": 1e-11, **tolerances})


@every
def test_probabilities_sum_to_one_and_give_the_moments(make):
    x = MAKERS[make].to(F64)
    p = make((3, 1))
    values = x[:, None, None].expand(-1, 3, 1)
    mass = p.log_prob(values).exp()
    if not p.support.is_discrete:
        mass = mass * (x[1] - x[0])
        mass[[0, -1]] /= 2  # the trapezoid rule
    one = torch.ones(3, 1, dtype=F64)
    tolerances = {} if p.support.is_discrete else {"rtol": 1e-5, "atol": 1e-5}
    close(mass.sum(0), one, **tolerances)
    close((mass * values).sum(0), p.mean, **tolerances)
    close((mass * (values - p.mean).square()).sum(0), p.variance, **tolerances)


@every
def test_samples_have_the_moments(make):
    p = make((2, 3))
    n = 50_000
    x = p.sample((n,))
    assert p.support.check(x).all()
    x = x.to(F64)
    assert ((x.mean(0) - p.mean).abs() < 5 * (p.variance / n).sqrt()).all()
    fourth = ((x - p.mean) ** 4).mean(0)
    assert ((x.var(0) - p.variance).abs() < 6 * (fourth / n).sqrt()).all()


@every
def test_the_event_is_summed_and_batches_broadcast(make):
    each, p = make((2, 3, 4)), make((2, 3, 4), event_ndim=2)
    assert (p.batch_shape, p.event_shape) == ((2,), (3, 4))
    x = p.sample((5,))
    assert x.shape == (5, 2, 3, 4) and x.dtype == (torch.int64 if make is categorical else F64)
    close(p.log_prob(x), each.log_prob(x).sum((-1, -2)))
    close(p.log_prob(x[0, :1]), each.log_prob(x[0, :1]).sum((-1, -2)))
    close(p.log_prob(x[:, :1]), each.log_prob(x[:, :1]).sum((-1, -2)))
    assert make((3, 4)).batch_shape == (3, 4)
    assert type(p).__name__ in repr(p)


@every
def test_expand(make):
    p = make((2, 3), event_ndim=1)
    wide = p.expand((5, 4, 2))
    assert (wide.batch_shape, wide.event_shape) == ((5, 4, 2), (3,))
    x = wide.sample((3,))
    assert x.shape == (3, 5, 4, 2, 3)
    close(wide.log_prob(x), p.log_prob(x))
    close(wide.mean, p.mean.expand(5, 4, 2, 3))
    first = d.Laplace(torch.zeros(1, 3), 1.0, event_ndim=1).expand((4,)).sample()
    assert first.unique().numel() == 12


@every
def test_empty_batches(make):
    p = make((0, 4), event_ndim=1)
    x = p.sample((2,))
    assert x.shape == (2, 0, 4) and p.log_prob(x).shape == (2, 0)
    assert p.mean.shape == p.variance.shape == (0, 4)


@every
def test_gradients_reach_the_parameters_and_are_those_of_the_sum(make):
    """E[score] = 0: the gradient of the total probability, which is one whatever the parameters."""
    leaf = (0.5 * randn(2, 3)).requires_grad_()
    theta = torch.full((3,), 2.0, dtype=F64, requires_grad=True)
    p = {
        poisson: lambda: d.Poisson(log_rate=leaf),
        negative_binomial: lambda: d.NegativeBinomial(theta, logits=leaf - theta.log()),
        zero_inflated: lambda: d.ZeroInflatedNegativeBinomial(leaf.exp(), theta, leaf),
        categorical: lambda: d.Categorical(logits=leaf.unsqueeze(-1) * torch.arange(7)),
        discretized_logistic: lambda: d.DiscretizedLogistic(leaf, leaf - 2),
        laplace: lambda: d.Laplace(mean=leaf, log_scale=leaf),
        continuous_bernoulli: lambda: d.ContinuousBernoulli(logits=leaf),
    }[make]()
    x = p.sample((20_000,))
    scores = []
    for part in x.split(20_000 // 50):
        (score,) = torch.autograd.grad(p.log_prob(part).mean(0).sum(), leaf, retain_graph=True)
        scores.append(score)
    scores = torch.stack(scores)
    assert scores.abs().sum() > 0
    assert (scores.mean(0).abs() < 5 * scores.std(0) / math.sqrt(50)).all()


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (poisson, -1.0),
        (poisson, 0.5),
        (negative_binomial, 1.5),
        (zero_inflated, -2.0),
        (zero_inflated, math.nan),
        (categorical, 7.0),
        (categorical, 0.5),
        (discretized_logistic, 256.0),
        (discretized_logistic, 0.5),
        (discretized_logistic, -1.0),
        (laplace, math.nan),
        (continuous_bernoulli, 1.1),
    ],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_values_outside_of_the_support_raise_by_name(make, bad):
    p = make((2, 3), event_ndim=1)
    x = p.sample().to(F64)
    x[1, 2] = bad
    with pytest.raises(ValueError, match=f"{type(p).__name__}.log_prob: value must .* got {bad:g}"):
        p.log_prob(x)
    make((2, 3), validate_args=False)
    for shape in [(2, 4), ()]:
        with pytest.raises(ValueError, match=rf"{type(p).__name__}.*must have the event shape"):
            p.log_prob(torch.zeros(shape, dtype=F64))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: d.Poisson(torch.zeros(2, dtype=torch.int64)), "rate must be a floating-point"),
        (lambda: d.NegativeBinomial(torch.ones(2, 3), torch.zeros(2)), r"probs \(2,\), total_c"),
        (lambda: d.Categorical(logits=[0.0]), "logits must be a floating-point tensor, got list"),
        (lambda: d.Categorical(logits=torch.zeros(())), "last dimension of classes"),
        (lambda: d.DiscretizedLogisticMixture(torch.zeros(2, 31, 4, 4)), r"30 or 100, H, W\)"),
        (lambda: d.DiscretizedLogisticMixture(torch.zeros(2)), r"got \(2,\)"),
        (lambda: d.NegativeBinomial(mean=torch.ones(2), inverse_dispersion=-1.0), "inverse_disp"),
        (lambda: d.NegativeBinomial(mean=-torch.ones(2), inverse_dispersion=1.0), "mean"),
        (lambda: d.Laplace(torch.zeros(2), log_scale=math.nan), "log_scale"),
    ],
)
def test_bad_parameters_raise_by_name(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_those_that_torch_knows_equal_torch():
    shape = (3, 4)
    pairs = [
        (poisson(shape), lambda p: td.Poisson(p.log_rate.exp())),
        (
            negative_binomial(shape),
            lambda p: td.NegativeBinomial(
                p.inverse_dispersion, logits=p.mean.log() - p.inverse_dispersion.log()
            ),
        ),
        (laplace(shape), lambda p: td.Laplace(p.mean, p.log_scale.exp())),
        (continuous_bernoulli(shape), lambda p: td.ContinuousBernoulli(logits=p.logits)),
        (categorical(shape), lambda p: td.Categorical(logits=p.logits)),
    ]
    for ours, make in pairs:
        theirs = make(ours)
        x = ours.sample((5,))
        close(ours.log_prob(x), theirs.log_prob(x), rtol=1e-6)
        if not isinstance(ours, d.Categorical):  # torch gives no moments
            close(ours.mean, theirs.mean, rtol=1e-6)
            close(ours.variance, theirs.variance, rtol=1e-6)
        if not isinstance(ours, (d.Poisson, d.NegativeBinomial)):
            close(ours.entropy(), theirs.entropy(), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_classes_of_any_dtype(dtype):
    p = categorical((2, 3), event_ndim=1, validate_args=False)
    x = p.sample()
    close(p.log_prob(x.to(dtype)), p.log_prob(x))
    x = x.to(F64)
    for bad in (0.5, math.nan, 7.0, -1.0):
        x[0, 1] = bad
        assert p.log_prob(x).isnan().tolist() == [True, False]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_256_classes(dtype):
    p = d.Categorical(logits=randn(2, 3, 256), event_ndim=1)
    x = torch.tensor([[0, 128, 255], [255, 1, 254]], dtype=dtype)
    expected = p.logits.log_softmax(-1).gather(-1, x.long().unsqueeze(-1)).sum((1, 2))
    close(p.log_prob(x), expected)


@pytest.mark.parametrize("zeros", [False, True])
def test_shares_of_next_to_nothing(zeros):
    """A share that is smaller than any number has its density, and gradients, all the same."""
    logits = (torch.tensor([-120.0, 0.0, 0.0, 0.0]) * 10).requires_grad_()
    t = torch.ones(4, requires_grad=True)
    x = torch.tensor([1.0, 2.0, 3.0, 4.0])

    def loss(logits, t, x):
        given = {"log_mean": logits.log_softmax(-1) + 3.0, "inverse_dispersion": t}
        if zeros:
            return -d.ZeroInflatedNegativeBinomial(**given, zi_logits=-3.0).log_prob(x).sum()
        return -d.NegativeBinomial(**given).log_prob(x).sum()

    value = loss(logits, t, x)
    grads = torch.autograd.grad(value, (logits, t))
    truth = [p.detach().double().requires_grad_() for p in (logits, t)]
    exact = loss(*truth, x.double())
    assert value.isfinite()
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=0)
    expected = torch.autograd.grad(exact, truth)
    for found, true in zip(grads, expected, strict=True):
        torch.testing.assert_close(found.double(), true, rtol=1e-4, atol=1e-5)


def test_odds_beyond_any_number():
    """A total count with logits of 300 in float32, whose mean is no number."""
    x = torch.tensor([0.0, 4.0])
    for logit in (300.0, -300.0, 5.0):
        single = d.NegativeBinomial(2.0, logits=torch.tensor(logit)).log_prob(x)
        double = td.NegativeBinomial(2.0, logits=torch.tensor(logit, dtype=F64)).log_prob(x.to(F64))
        torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-6)


def test_limits_of_the_counts():
    """NB at a large inverse dispersion is Poisson; ZINB without extra zeros is NB."""
    rate = randn(3, 4).exp()
    x = torch.poisson(5 * rate)
    nearly = d.NegativeBinomial(mean=rate, inverse_dispersion=1e9)
    close(nearly.log_prob(x), d.Poisson(rate).log_prob(x), rtol=1e-5)
    close(
        d.ZeroInflatedNegativeBinomial(rate, 2.0, -80.0).log_prob(x),
        d.NegativeBinomial(mean=rate, inverse_dispersion=2.0).log_prob(x),
    )


def test_moments_of_a_continuous_bernoulli_join_at_the_series():
    logits = torch.linspace(-0.3, 0.3, 61, dtype=F64)
    p = d.ContinuousBernoulli(logits=logits)
    x = torch.linspace(0, 1, 2001, dtype=F64)
    density = p.log_prob(x[:, None]).exp()
    close(torch.trapezoid(density.T * x, x), p.mean, rtol=1e-6)
    second = torch.trapezoid(density.T * x.square(), x)
    close(second - p.mean.square(), p.variance, rtol=1e-5)
    for extreme in (-1e4, 1e4):
        q = d.ContinuousBernoulli(logits=torch.full((1, 1), extreme))
        assert q.sample((100,)).isfinite().all() and q.mean.isfinite().all()
        assert q.variance.isfinite().all()


@pytest.mark.parametrize("make", [laplace, continuous_bernoulli])
def test_pathwise_gradients(make):
    """The gradient of a mean by samples is that of the mean in closed form."""
    leaf = randn(1, 4).requires_grad_()
    p = (
        d.Laplace(mean=leaf, log_scale=leaf)
        if make is laplace
        else d.ContinuousBernoulli(logits=3 * leaf)
    )
    (expected,) = torch.autograd.grad(
        (p.mean + p.variance + p.mean.square()).sum(), leaf, retain_graph=True
    )
    n = 200_000
    x = p.rsample((n,))
    (found,) = torch.autograd.grad((x + x.square()).mean(0).sum(), leaf)
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.02)


# Mixtures of discretized logistics


@pytest.mark.parametrize("planes", [6, 20])
def test_a_mixture_of_logistics_sums_to_one(planes):
    """Over all levels of one channel, given what is before it and after it summed out."""
    params = randn(1, planes, 1, 1)
    p = d.DiscretizedLogisticMixture(params, 2)
    if planes == 6:
        levels = torch.arange(256.0, dtype=F64).view(256, 1, 1, 1)
        close(p.log_prob(levels).exp().sum(), torch.ones((), dtype=F64))
        return
    # narrow logistics in the middle: few colours have all the mass
    params[:, [4, 5, 10, 11, 16, 17]] = -4.0
    params[:, [2, 3, 8, 9, 14, 15]] *= 0.05
    p = d.DiscretizedLogisticMixture(params, 2)
    side = torch.arange(256.0, dtype=F64)
    total, colours = 0.0, torch.cartesian_prod(side[60:200], side[60:200])
    for red in side[60:200]:
        x = torch.cat([red.expand(len(colours), 1), colours], 1)[:, :, None, None]
        total += p.log_prob(x).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("channels", "planes"), [(1, 30), (3, 100)])
def test_samples_of_a_mixture_of_logistics(channels, planes):
    params = 0.5 * randn(2, planes, 2, 3, dtype=torch.float32)
    p = d.DiscretizedLogisticMixture(params)
    assert (p.batch_shape, p.event_shape) == ((2,), (channels, 2, 3))
    x = p.sample((4000,))
    assert x.dtype == torch.uint8 and x.shape == (4000, 2, channels, 2, 3)
    log_prob = p.log_prob(x)
    assert log_prob.shape == (4000, 2) and log_prob.isfinite().all()
    close(log_prob, p.log_prob(x.float()), rtol=1e-4, atol=1e-4)
    error = (x.float().mean(0) - p.mean).abs()
    slack = 0.5 if channels == 1 else 12.0  # in colour the mean is approximate
    assert (error < 5 * x.float().std(0) / math.sqrt(4000) + slack).all()
    wide = p.expand((3, 2))
    assert wide.sample().shape == (3, 2, channels, 2, 3)
    assert wide.log_prob(x[0]).shape == (3, 2)
    with pytest.raises(ValueError, match=r"a whole number from 0 to 255, got 0\.5"):
        p.log_prob(torch.full((2, channels, 2, 3), 0.5))


def test_one_component_is_one_logistic():
    mean, log_scale = randn(2, 1, 3, 3), randn(2, 1, 3, 3, seed=1) - 2
    params = torch.cat([torch.zeros_like(mean), mean, log_scale], 1)
    x = d.DiscretizedLogistic(mean, log_scale).sample()
    close(
        d.DiscretizedLogisticMixture(params, 1).log_prob(x),
        d.DiscretizedLogistic(mean, log_scale, event_ndim=3).log_prob(x),
    )
