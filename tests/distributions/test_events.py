"""Which dimensions are the event: none of single variables, and what was asked for else."""

import pytest
import torch
from torch import distributions as td

from pyvae import distributions as d

T = torch.zeros(50, 100, 784)
SINGLE = {
    "Bernoulli": lambda t, **o: d.Bernoulli(logits=t, **o),
    "RelaxedBernoulli": lambda t, **o: d.RelaxedBernoulli(t, **o),
    "ContinuousBernoulli": lambda t, **o: d.ContinuousBernoulli(logits=t, **o),
    "Laplace": lambda t, **o: d.Laplace(t, 1.0, **o),
    "Poisson": lambda t, **o: d.Poisson(t + 1, **o),
    "NegativeBinomial": lambda t, **o: d.NegativeBinomial(2.0, logits=t, **o),
    "ZeroInflatedNegativeBinomial": lambda t, **o: d.ZeroInflatedNegativeBinomial(t, 1.0, 0.0, **o),
    "DiscretizedLogistic": lambda t, **o: d.DiscretizedLogistic(t, -2.0, **o),
    "Categorical": lambda t, **o: d.Categorical(logits=t.unsqueeze(-1).expand(*t.shape, 3), **o),
}
VECTORS = {
    "DiagonalGaussian": lambda t: d.DiagonalGaussian(t, 0.0),
    "Rank1Gaussian": lambda t: d.Rank1Gaussian(t, t, t),
    "GaussianMixture": lambda t: d.GaussianMixture(t.unsqueeze(-2), t.unsqueeze(-2)),
    "BinaryChain": lambda t: d.BinaryChain(t, [], t.shape[-1:]),
    "OneHot": lambda t: d.OneHot(t.unsqueeze(-2)),
    "FlowDistribution": lambda t: d.FlowDistribution(d.DiagonalGaussian(t, 0.0), []),
}
single = pytest.mark.parametrize("name", SINGLE)


def value(p, shape):
    """Zeros, or codes of the first class."""
    x = torch.zeros(shape)
    if isinstance(p, d.OneHot):
        x[..., 0] = 1
    return x


def test_samples_of_a_batch_are_not_summed():
    """Logits of 50 samples for 100 rows: what is summed without being asked is another loss."""
    x = torch.zeros(100, 784)
    p = d.Bernoulli(logits=T)
    assert p.log_prob(x).shape == td.Bernoulli(logits=T).log_prob(x).shape == (50, 100, 784)
    assert d.Bernoulli(logits=T, event_ndim=1).log_prob(x).shape == (50, 100)


@single
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_single_variables_have_no_event(name, shape):
    p = SINGLE[name](torch.zeros(shape))
    assert (p.batch_shape, p.event_shape) == (shape, ())
    for values in [(), shape, (5, *shape), (6, *[1] * len(shape))]:
        found = p.log_prob(value(p, values)).shape
        assert found == torch.broadcast_shapes(values, shape)


@single
def test_an_event_is_what_was_asked_for(name):
    for n in range(4):
        p = SINGLE[name](torch.zeros(2, 3, 4), event_ndim=n)
        assert (p.batch_shape, p.event_shape) == ((2, 3, 4)[: 3 - n], (2, 3, 4)[3 - n :])
        each = SINGLE[name](torch.zeros(2, 3, 4)).log_prob(value(p, (5, 2, 3, 4)))
        total = each.flatten(4 - n).sum(-1) if n else each
        torch.testing.assert_close(p.log_prob(value(p, (5, 2, 3, 4))), total)
    with pytest.raises(ValueError, match="event_ndim must lie between 0 and the 3 dimensions"):
        SINGLE[name](torch.zeros(2, 3, 4), event_ndim=4)


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_vectors_are_events(name, shape):
    p = VECTORS[name](torch.zeros(shape))
    assert (p.batch_shape, p.event_shape) == (shape[:-1], shape[-1:])
    assert p.log_prob(value(p, (5, *shape))).shape == (5, *shape[:-1])


@pytest.mark.parametrize("name", [*SINGLE, *VECTORS])
@pytest.mark.parametrize("validate", [True, False])
def test_a_value_that_broadcasts_against_the_event_is_refused(name, validate):
    td.Distribution.set_default_validate_args(validate)
    t = torch.zeros(3, 4)
    p = SINGLE[name](t, event_ndim=1) if name in SINGLE else VECTORS[name](t)
    for shape in [(3, 1), (3, 5), (1,), ()]:
        with pytest.raises(ValueError, match="shape"):
            p.log_prob(torch.ones(shape))


def test_a_gaussian_without_an_event_is_torchs_normal():
    mean, scale = torch.randn(3, 4), torch.rand(3, 4) + 0.1
    ours, theirs = d.DiagonalGaussian(loc=mean, scale=scale, event_ndim=0), td.Normal(mean, scale)
    x = torch.randn(5, 1, 4)
    assert ours.batch_shape == theirs.batch_shape
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
