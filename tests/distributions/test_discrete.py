"""Classes, codes, bits and counts: exact in every dtype, and where a probability is 0 or 1."""

import math

import pytest
import torch
from torch import distributions as td
from torch.distributions import kl_divergence
from torch.testing import assert_close

from pyvae import distributions as d

F64 = torch.float64
DTYPES = [torch.float32, F64, torch.bfloat16, torch.float16]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: str(t).split(".")[1])


# Classes


@every_dtype
@pytest.mark.parametrize(("classes", "at"), [(1000, 257), (3000, 2999), (3000, 2049)])
def test_a_class_is_an_integer_in_every_dtype(dtype, classes, at):
    """16 bits hold no 257 or 2999, which came out as other classes."""
    logits = torch.full((2, classes), -50.0, dtype=dtype)
    logits[:, at] = 50
    p = d.Categorical(logits=logits)
    for x in (p.sample((5,)), p.mode, p.expand((3, 2)).sample()):
        assert x.dtype == torch.int64 and (x == at).all()
        assert (p.log_prob(x) > -1e-3).all()
    theirs = td.Categorical(logits=logits.float())
    assert p.sample().dtype == theirs.sample().dtype == theirs.mode.dtype
    assert torch.equal(p.enumerate_support(), theirs.enumerate_support())
    assert p.expand((0, 2)).sample().dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_counts_keep_the_dtype_of_their_parameters(dtype):
    """As torch's do: what a dtype cannot hold is the nearest that it can."""
    rate = torch.full((2000,), 3000.0, dtype=dtype)
    for p in (d.Poisson(rate), d.NegativeBinomial(mean=rate, inverse_dispersion=1e6)):
        x = p.sample()
        assert x.dtype == p.mode.dtype == dtype
        assert (x == x.round()).all() and abs(x.double().mean() / 3000 - 1) < 0.01


def codes(*shape):
    z = torch.zeros(shape)
    z[..., 0] = 1
    return z


MASKED = torch.tensor([[0.3, -math.inf, 1.0, -math.inf, -0.5]])
KEPT = torch.tensor([0, 2, 4])


@every_dtype
@pytest.mark.parametrize("by", ["logits", "probs"])
def test_masked_classes_are_those_that_are_not_there(dtype, by):
    """Values and gradients are those of the classes that are left: 0 log 0 is 0."""
    logits = MASKED.to(dtype)
    given = (logits if by == "logits" else logits.softmax(-1)).requires_grad_()
    kept = given[:, KEPT]
    for make in (d.OneHot, d.Categorical):
        lift = (lambda t: t.unsqueeze(-2)) if make is d.OneHot else (lambda t: t)
        whole, part = make(**{by: lift(given)}), make(**{by: lift(kept)})
        x = torch.tensor([[0], [2], [1]])
        few, many = x, KEPT[x]
        if make is d.OneHot:
            few, many = (torch.eye(n)[t] for n, t in ((3, few), (5, many)))
        for of in (
            lambda p, z: p.log_prob(z),
            lambda p, z: p.entropy(),
            lambda p, z: kl_divergence(p, p),
        ):
            ours, truth = of(whole, many), of(part, few)
            assert_close(ours, truth)
            slopes = [torch.autograd.grad(v.sum(), given, retain_graph=True) for v in (ours, truth)]
            assert_close(slopes[0][0][:, KEPT], slopes[1][0][:, KEPT])
            assert slopes[0][0].isfinite().all()
        assert whole.variance.isfinite().all() and whole.stddev.isfinite().all()
        assert whole.log_prob(torch.eye(5)[1] if make is d.OneHot else torch.tensor(1)) == -math.inf
        drawn = whole.sample((200,))
        assert whole.log_prob(drawn).isfinite().all()
    relaxed = d.OneHot(logits.unsqueeze(-2))
    z = relaxed.rsample((50,))
    assert (z[..., [1, 3]] == 0).all() and relaxed.log_prob(z).isfinite().all()


def test_a_masked_class_that_is_likely_elsewhere_is_infinitely_far():
    p, q = d.OneHot(MASKED.unsqueeze(-2)), d.OneHot(torch.zeros(1, 1, 5))
    assert kl_divergence(q, p) == math.inf and kl_divergence(p, q).isfinite()
    p, q = d.Categorical(logits=MASKED), d.Categorical(torch.ones(1, 5))
    assert kl_divergence(q, p) == math.inf and kl_divergence(p, q).isfinite()


def test_codes_are_validated():
    p = d.OneHot(torch.zeros(3, 2, 4))
    p.log_prob(p.rsample((5,)))
    p.log_prob(p.sample().long())
    unchecked = d.OneHot(torch.zeros(3, 2, 4), validate_args=False)
    for bad, got in [(2.0, "sums from"), (-1.0, "-1 among them"), (math.nan, "nan")]:
        z = p.sample()
        z[1, 5] = bad
        with pytest.raises(ValueError, match=rf"OneHot.log_prob: value must hold 2 x 4 .*{got}"):
            p.log_prob(z)
        unchecked.log_prob(z)
    with pytest.raises(ValueError, match=r"parameter logits of OneHot"):
        d.OneHot(torch.full((1, 2), math.nan))
    with pytest.raises(ValueError, match=r"groups and classes, got \(3,\)"):
        d.OneHot(torch.zeros(3))
    assert p.support.check(p.sample((6,))).all() and not p.support.check(p.rsample()).any()


@every_dtype
def test_relaxed_codes_of_many_classes_are_codes_enough(dtype):
    p = d.OneHot(torch.randn(4, 2, 500).to(dtype))
    assert p.log_prob(p.rsample((20,))).isfinite().all()


def test_the_slope_of_a_code_is_its_log_probability():
    """Where an entry is 0 too, as it is in codes that carry the gradient of a relaxation."""
    p = d.OneHot(torch.randn(3, 2, 4))
    z = p.sample().requires_grad_()
    (slope,) = torch.autograd.grad(p.log_prob(z).sum(), z)
    assert_close(slope, p.logits.flatten(-2))


# Bits


@pytest.mark.parametrize("make", [d.Bernoulli, d.RelaxedBernoulli])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_bytes_are_no_grey_levels(make, dtype):
    p = make(logits=torch.zeros(3), event_ndim=1)
    said = rf"{make.__name__}.log_prob: value must be in \[0, 1\], got 255"
    with pytest.raises(ValueError, match=said):
        p.log_prob(torch.tensor([0, 255, 1]).to(dtype))
    p.log_prob(torch.tensor([0, 1, 1]).to(dtype))


def slope(make, at, x):
    at = torch.tensor(at, dtype=F64, requires_grad=True)
    value = make(at).log_prob(torch.tensor(x, dtype=F64))
    (grad,) = torch.autograd.grad(value.sum(), at)
    return value.tolist(), grad.tolist()


def test_certain_bits():
    """log p and log(1 - p), with their slopes 1 / p and -1 / (1 - p)."""
    value, grad = slope(d.Bernoulli, [0.0, 1.0, 0.25, 1 - 1e-15], [0.0, 1.0, 1.0, 1.0])
    assert value == pytest.approx([0, 0, math.log(0.25), -1e-15], rel=0.2)
    assert grad == pytest.approx([-1, 1, 4, 1])
    value, grad = slope(d.Bernoulli, [0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.5, 0.5])
    assert value == [-math.inf] * 4 and all(math.isfinite(g) for g in grad)
    p = d.Bernoulli(torch.tensor([0.0, 1.0]))
    assert p.logits.tolist() == [-math.inf, math.inf]
    assert p.sample((9,)).mean(0).tolist() == p.mode.tolist() == p.mean.tolist() == [0, 1]
    assert p.variance.tolist() == p.stddev.tolist() == [0, 0]
    assert_close(p.entropy(), torch.zeros(2))
    assert_close(kl_divergence(p, p), torch.zeros(2))
    assert kl_divergence(d.Bernoulli(0.5).expand((2,)), p).tolist() == [math.inf, math.inf]
    z = d.RelaxedBernoulli(probs=p.probs).rsample((9,))
    assert_close(z.mean(0), p.probs)


def test_rates_and_probabilities_of_nothing():
    """log p(0) of a Poisson variable is -rate; that of a negative binomial one is t log(1 - p)."""
    for make, at_zero in [(d.Poisson, -1), (lambda p: d.NegativeBinomial(3.0, p), -3)]:
        value, grad = slope(make, [0.0, 0.0], [0.0, 2.0])
        assert value == pytest.approx([0, -math.inf])
        assert grad[0] == pytest.approx(at_zero) and math.isfinite(grad[1])
        p = make(torch.zeros(5))
        assert not p.sample().any() and not p.mean.any() and not p.variance.any()
    nothing = d.NegativeBinomial(0, probs=torch.tensor([0.3, 0.3]))
    assert nothing.log_prob(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([0, -math.inf])
    assert nothing.log_mean.tolist() == [-math.inf, -math.inf]
    assert not nothing.sample().any() and not nothing.stddev.any() and not nothing.mode.any()


@every_dtype
def test_probabilities_in_16_bits_keep_their_digits(dtype):
    """Their logits are taken in float32: one of 0.996 rounded to 8 bits is 4 % off in 1 - p."""
    probs = torch.tensor([0.996, 0.5, 1e-3]).to(dtype)
    p, x = d.Bernoulli(probs), torch.tensor([0.0, 1.0, 1.0])
    truth = td.Bernoulli(probs.double()).log_prob(x.double())
    assert_close(p.log_prob(x).double(), truth, rtol=1e-5, atol=0)
    assert p.sample().dtype == p.mean.dtype == p.logits.dtype == dtype
    assert torch.equal(p.mean, probs)
