"""Samples of mixtures of discretized logistics: their kind, and how often each level is drawn."""

import math

import pytest
import torch

from pyvae.functional import discretized_logistic_mixture_log_prob as log_prob
from pyvae.functional import discretized_logistic_mixture_sample as sample

LEVELS = torch.arange(256, dtype=torch.uint8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_kind_of_a_sample():
    for planes, channels in ((12, 1), (40, 3)):
        for batch in ((), (4,), (2, 3)):
            params = torch.randn(*batch, planes, 4, 5, generator=generator())
            drawn = sample(params, 4, generator=generator())
            assert drawn.shape == (*batch, channels, 4, 5) and drawn.dtype == torch.uint8
            assert torch.equal(drawn, sample(params, 4, generator=generator()))
            assert not torch.equal(drawn, sample(params, 4, generator=generator(1)))
    torch.manual_seed(1)
    first = sample(params, 4)
    torch.manual_seed(1)
    assert torch.equal(first, sample(params, 4))
    assert sample(params.bfloat16().requires_grad_(), 4).dtype == torch.uint8


@pytest.mark.parametrize("log_scale", [-7.0, -3.0, 0.0, 2.0])
def test_levels_are_drawn_as_often_as_they_are_likely(log_scale):
    """Pearson's statistic of 256 bins, those of less than 5 expected draws put together."""
    n = 400_000
    params = torch.tensor([0.3, -0.5, -0.8, 0.7, log_scale, log_scale - 0.5]).view(6, 1, 1)
    drawn = sample(params.expand(6, 1, n), 2, generator=generator())
    count = torch.bincount(drawn.flatten().long(), minlength=256).double()
    expected = n * log_prob(LEVELS.view(256, 1, 1, 1), params.double(), 2).exp()
    rare = expected < 5
    observed, expected = (torch.cat([t[~rare], t[rare].sum()[None]]) for t in (count, expected))
    statistic = ((observed - expected).square() / expected.clamp(min=1)).sum()
    freedom = (~rare).sum()
    assert statistic < freedom + 4.5 * math.sqrt(2 * freedom)


def test_colours_are_drawn_jointly():
    """Triples of levels of few-level distributions, as often as they are likely."""
    n = 400_000
    params = torch.randn(20, 1, 1, generator=generator(4))
    params[2:] *= 0.5
    params[[4, 5, 10, 11, 16, 17]] = -5.5
    drawn = sample(params.expand(20, 1, n), 2, generator=generator())
    triples, count = drawn.flatten(1).T.unique(dim=0, return_counts=True)
    mass = log_prob(triples[..., None, None], params.double(), 2).exp()
    assert mass.sum() > 0.99
    often = mass > 1e-3
    assert often.sum() > 50
    error = (count - n * mass) / (n * mass).sqrt()
    assert error[often].abs().max() < 4.5
