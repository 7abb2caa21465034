"""Counts among classes: torch's twin, sums over all compositions, parts, precision."""

import itertools

import pytest
import torch
from torch import distributions as td

from pyvae.distributions import Multinomial, Poisson


def compositions(total, classes):
    return torch.tensor(
        [c for c in itertools.product(range(total + 1), repeat=classes) if sum(c) == total]
    ).double()


@pytest.mark.parametrize("total", [0, 1, 4])
def test_all_compositions_sum_to_one(total):
    logits = torch.randn(4, dtype=torch.float64)
    every = compositions(total, 4)
    p = Multinomial(total, logits=logits)
    torch.testing.assert_close(p.log_prob(every).exp().sum(), torch.ones((), dtype=torch.float64))
    mean = (p.log_prob(every).exp()[:, None] * every).sum(0)
    torch.testing.assert_close(p.mean, mean)
    square = (p.log_prob(every).exp()[:, None] * (every - mean).square()).sum(0)
    torch.testing.assert_close(p.variance, square)


@pytest.mark.parametrize("by", ["logits", "probs"])
def test_torchs_twin(by):
    """Values and gradients; probabilities are divided by their sum in both."""
    logits = torch.randn(3, 5, dtype=torch.float64)
    given = logits if by == "logits" else logits.softmax(-1)
    ours, theirs = (given.clone().requires_grad_() for _ in range(2))
    p, twin = Multinomial(7, **{by: ours}), td.Multinomial(7, **{by: theirs})
    x = twin.sample((4,))
    assert (p.batch_shape, p.event_shape) == (twin.batch_shape, twin.event_shape)
    torch.testing.assert_close(p.log_prob(x), twin.log_prob(x))
    grads = [torch.autograd.grad(q.log_prob(x).sum(), t) for q, t in ((p, ours), (twin, theirs))]
    torch.testing.assert_close(*grads)
    for name in ("mean", "variance", "probs", "logits"):
        torch.testing.assert_close(getattr(p, name), getattr(twin, name), msg=name)


def test_totals_differ_from_row_to_row():
    torch.manual_seed(0)
    totals = torch.tensor([0.0, 1.0, 50.0, 3000.0])
    p = Multinomial(totals, logits=torch.randn(4, 2, 3), event_ndim=2)
    assert (p.batch_shape, p.event_shape) == ((4,), (2, 3))
    x = p.sample((200,))
    assert torch.equal(x.sum((-1, -2)), totals.expand(200, 4))
    error = (x.mean(0) - p.mean).abs() / (p.variance / 200).sqrt().clamp(min=1e-6)
    assert (error < 5).all()
    assert (p.log_prob(x) <= 1e-5).all() and (p.log_prob(x)[:, 0] == 0).all()
    wide = p.expand((5, 4))
    torch.testing.assert_close(wide.log_prob(x[:5]), p.log_prob(x[:5]))


def test_parts_are_multinomial_given_their_total():
    """p(x_o | n_o): by enumeration of what was not observed."""
    logits = torch.randn(4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([True, False, True, True])
    x = torch.tensor([2.0, torch.nan, 0.0, 1.0], dtype=torch.float64)
    found = Multinomial(logits=logits).mask(mask).log_prob(x)
    every = compositions(6, 4)
    p = Multinomial(6, logits=logits.detach()).log_prob(every).exp()
    seen = every[:, mask]
    same_total = seen.sum(1) == 3
    right = p[same_total & (seen == x[mask]).all(1)].sum() / p[same_total].sum()
    torch.testing.assert_close(found.detach(), right.log())
    (grad,) = torch.autograd.grad(found, logits)
    assert grad[1] == 0 and grad.sum().abs() < 1e-12
    for coefficient in (True, False):
        none = Multinomial(logits=logits, coefficient=coefficient).mask(mask & False)
        assert none.log_prob(x) == 0 and not torch.autograd.grad(none.log_prob(x), logits)[0].any()
        some = Multinomial(logits=logits, coefficient=coefficient)
        kept = Multinomial(logits=logits[mask], coefficient=coefficient).log_prob(x[mask])
        torch.testing.assert_close(some.mask(mask).log_prob(x), kept)


def test_large_counts_keep_their_digits():
    logits = torch.randn(2, 20_000)
    x = Multinomial(1e6, logits=logits).sample()
    exact = td.Multinomial(1_000_000, logits=logits.double()).log_prob(x.double())
    torch.testing.assert_close(
        Multinomial(logits=logits).log_prob(x).double(), exact, rtol=2e-6, atol=0
    )


def test_the_coefficient_moves_no_parameter():
    logits = torch.randn(3, 5, requires_grad=True)
    x = Multinomial(9, logits=logits).sample()
    with_it, without = (
        Multinomial(logits=logits, coefficient=c).log_prob(x) for c in (True, False)
    )
    torch.testing.assert_close(without, (x * logits.log_softmax(-1)).sum(-1))
    torch.testing.assert_close(*(torch.autograd.grad(v.sum(), logits) for v in (with_it, without)))
    independent = Poisson(9 * logits.softmax(-1), event_ndim=1).log_prob(x)
    total = Poisson(9.0).log_prob(torch.tensor(9.0))
    torch.testing.assert_close(with_it, independent - total)


def test_what_cannot_be_is_said():
    strict = Multinomial(3, logits=torch.zeros(4), validate_args=True)
    with pytest.raises(ValueError, match="sum to total_count, 3, got 2"):
        strict.log_prob(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="value must be whole numbers of at least 0, got -1"):
        strict.log_prob(torch.tensor([4.0, -1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="a mean and samples need total_count"):
        Multinomial(logits=torch.zeros(4)).sample()
    with pytest.raises(ValueError, match="expected one of probs and logits"):
        Multinomial(3)
    with pytest.raises(ValueError, match="logits must have 2 dimensions of classes"):
        Multinomial(3, logits=torch.zeros(4), event_ndim=2)
    never = Multinomial(2, probs=torch.tensor([0.5, 0.5, 0.0]))
    assert never.log_prob(torch.tensor([1.0, 0.0, 1.0])) == -torch.inf
    assert (never.sample((500,))[:, 2] == 0).all()
