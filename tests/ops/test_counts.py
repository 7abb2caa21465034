"""Densities of counts: normalized, right at their limits, and with their digits kept in float32."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch.autograd import gradcheck
from torch.testing import assert_close

from pyvae import functional as F

F32, F64 = torch.float32, torch.float64
SINGLE_OR_MORE = [F32, F64]
MEANS = [1e-3, 0.3, 1.0, 7.0, 150.0]
DISPERSIONS = [1e-3, 0.2, 1.0, 1.7, 30.0]


def counts(n, dtype=F64):
    """0, 1, ..., n - 1, each a batch of its own."""
    return torch.arange(n, dtype=dtype)[:, None]


def scalar(value, like):
    return torch.full_like(like, value)


def grid(*axes, dtype):
    """Every combination, each a batch of its own."""
    mesh = torch.meshgrid(*(torch.tensor(a, dtype=dtype) for a in axes), indexing="ij")
    return [g.reshape(-1, 1) for g in mesh]


def scipy_negative_binomial(x, mean, theta):
    x, mean, theta = (t.double().numpy() for t in (x, mean, theta))
    return torch.from_numpy(scipy.stats.nbinom.logpmf(x, theta, theta / (theta + mean)))[:, 0]


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("rate", [1e-4, 0.5, 3.0, 1000.0, 40_000.0])
def test_the_poisson_mass_sums_to_one(rate, dtype):
    x = counts(int(rate + 50 * rate**0.5 + 50), dtype)
    mass = F.poisson_log_prob(x, scalar(math.log(rate), x)).double().exp()
    one = torch.ones((), dtype=F64)
    rtol = 1e-11 if dtype == F64 else 1e-5
    assert_close(mass.sum(), one, rtol=rtol, atol=0)
    assert_close((mass * x[:, 0]).sum(), rate * one, rtol=rtol, atol=0)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("theta", [0.05, 0.9, 1.0, 4.0, 1e3, 1e7])
@pytest.mark.parametrize("mean", [0.01, 1.0, 60.0])
def test_the_negative_binomial_mass_sums_to_one(mean, theta, dtype):
    variance = mean + mean**2 / theta
    x = counts(int(mean + 200 * variance**0.5 + 4000), dtype)
    mass = F.negative_binomial_log_prob(x, scalar(mean, x), scalar(theta, x)).double().exp()
    one, k = torch.ones((), dtype=F64), x[:, 0].double()
    rtol = 1e-10 if dtype == F64 else 1e-5
    assert_close(mass.sum(), one, rtol=rtol, atol=0)
    assert_close((mass * k).sum(), mean * one, rtol=rtol, atol=0)
    assert_close((mass * (k - mean) ** 2).sum(), variance * one, rtol=10 * rtol, atol=0)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("logits", [-90.0, -3.0, 0.0, 2.0, 30.0])
@pytest.mark.parametrize("theta", [0.3, 5.0])
def test_the_zero_inflated_mass_sums_to_one(theta, logits, dtype):
    x = counts(3000, dtype)
    mass = F.zero_inflated_negative_binomial_log_prob(
        x, scalar(6.0, x), scalar(theta, x), scalar(logits, x)
    ).double()
    one = torch.ones((), dtype=F64)
    rtol = 1e-11 if dtype == F64 else 1e-6
    assert_close(mass.exp().sum(), one, rtol=rtol, atol=0)
    kept = torch.sigmoid(torch.tensor(-logits, dtype=F64))
    assert_close((mass.exp() * x[:, 0]).sum(), 6 * kept, rtol=10 * rtol, atol=0)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_the_poisson_equals_scipy(dtype):
    x = torch.tensor([0, 1, 2, 3, 9, 10, 100, 12_345, 1e5], dtype=dtype)[:, None]
    for rate in (1e-6, 0.4, 1.0, 9.5, 100.0, 12_000.0, 99_000.0):
        log_rate = scalar(math.log(rate), x).requires_grad_()
        value = F.poisson_log_prob(x, log_rate)
        (grad,) = torch.autograd.grad(value.sum(), log_rate)
        exact = log_rate.detach().double().exp()
        truth = scipy.stats.poisson.logpmf(x.double().numpy(), exact.numpy())[:, 0]
        rtol = 1e-9 if dtype == F64 else 2e-6
        assert_close(value.double(), torch.from_numpy(truth), rtol=rtol, atol=rtol)
        assert_close(grad.double(), x.double() - exact, rtol=rtol, atol=rtol * rate)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_the_negative_binomial_equals_scipy(dtype):
    xs = [0.0, 1.0, 2.0, 3.0, 10.0, 77.0, 1000.0]
    given = grid(xs, MEANS, DISPERSIONS, dtype=dtype)
    value = F.negative_binomial_log_prob(*given)
    rtol = 1e-9 if dtype == F64 else 1e-6
    assert_close(value.double(), scipy_negative_binomial(*given), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("counted", [1e3, 1e4, 1e5, 1e6])
def test_large_counts_keep_their_digits(counted):
    """log Gamma alone is off by 1 there in float32."""
    x = torch.full((5, 1), counted)
    mean = counted * torch.tensor([0.2, 0.99, 1.0, 1.01, 4.0])[:, None]
    for theta in (0.1, 3.0, 100.0, 1e4, 1e7):
        single = (x, mean, torch.full_like(x, theta))
        double = F.negative_binomial_log_prob(*(t.double() for t in single))
        assert_close(F.negative_binomial_log_prob(*single).double(), double, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_the_factorial_and_the_digamma_function(dtype):
    """At rate 1 the log-likelihood is -1 - log x!, and its slope in x -digamma(x + 1)."""
    whole = torch.arange(0, 300, dtype=F64)
    between = torch.linspace(0, 12, 4001, dtype=F64)
    far = torch.logspace(0, 6, 500, dtype=F64)
    x = torch.cat([whole, between, far]).to(dtype)[:, None].requires_grad_()
    value = F.poisson_log_prob(x, torch.zeros_like(x))
    (grad,) = torch.autograd.grad(value.sum(), x)
    k = x.detach().double().numpy()
    rtol = 1e-13 if dtype == F64 else 1e-6
    log_factorial = torch.from_numpy(scipy.special.gammaln(k + 1))
    assert_close(value.double()[:, None], -1 - log_factorial, rtol=rtol, atol=rtol)
    digamma = torch.from_numpy(scipy.special.digamma(k + 1))
    assert_close(grad.double(), -digamma, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_a_large_inverse_dispersion_gives_the_poisson(dtype):
    x = torch.tensor([0, 1, 2, 5, 17, 300.0], dtype=dtype)[:, None]
    for mean in MEANS:
        m = scalar(mean, x).requires_grad_()
        poisson = F.poisson_log_prob(x.double(), m.detach().double().log())
        for theta in (1e12, 1e30):
            value = F.negative_binomial_log_prob(x, m, scalar(theta, x))
            (grad,) = torch.autograd.grad(value.sum(), m)
            rtol = 1e-6 if dtype == F32 else 1e-7
            assert_close(value.double(), poisson, rtol=rtol, atol=rtol)
            assert_close(grad, x / m.detach() - 1, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("theta", [1e4, 1e6, 1e9])
def test_the_slope_in_a_large_inverse_dispersion(theta, dtype):
    """It is [x - (x - m)^2] / (2 t^2) to first order, the rest of terms that are t times larger."""
    x, mean = grid([0.0, 1.0, 4.0, 30.0], [0.5, 3.0, 8.0], dtype=dtype)
    t = scalar(theta, x).requires_grad_()
    (grad,) = torch.autograd.grad(F.negative_binomial_log_prob(x, mean, t).sum(), t)
    first = (x - (x - mean) ** 2) / 2
    assert_close(grad.detach() * theta * theta, first, rtol=1e-5, atol=3e4 / theta)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("theta", [1e-3, 1e-6, 1e-20])
def test_a_small_inverse_dispersion_gives_the_logarithmic_series(theta, dtype):
    """p(0) -> 1 and p(x) -> t q^x / x with q = m / (t + m); in terms of log t the slope is 1."""
    x = torch.tensor([0, 1, 2, 9, 120.0], dtype=dtype)[:, None]
    mean, log_t = scalar(5.0, x), scalar(math.log(theta), x).requires_grad_()
    value = F.negative_binomial_log_prob(x, mean, log_t.exp())
    (grad,) = torch.autograd.grad(value.sum(), log_t)
    q = torch.tensor(5 / (5 + theta), dtype=F64)
    truth = math.log(theta) + x.double() * q.log() - x.double().log()
    truth[0] = 0
    slack = 200 * theta * abs(math.log(theta)) + (1e-5 if dtype == F32 else 1e-12)
    assert_close(value.double(), truth[:, 0], rtol=1e-6, atol=slack)
    assert_close(grad, (x > 0).to(dtype), rtol=0, atol=slack)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_no_mean_and_no_count(dtype):
    """0 log 0 is 0, and the slope in the mean -1, the limit; a count has no chance then."""
    x = torch.tensor([[0.0], [3.0]], dtype=dtype)
    for theta in (1e-3, 1.0, 1e8):
        mean, t = torch.zeros_like(x).requires_grad_(), scalar(theta, x).requires_grad_()
        value = F.negative_binomial_log_prob(x, mean, t)
        assert value.tolist() == [0, -math.inf]
        grads = torch.autograd.grad(value[0], [mean, t])
        assert grads[0][0] == pytest.approx(-1) and grads[1][0] == 0
        logits = torch.zeros_like(x).requires_grad_()
        value = F.zero_inflated_negative_binomial_log_prob(x, mean, t, logits)
        assert value.tolist() == [0, -math.inf]
        grads = torch.autograd.grad(value[0], [mean, t, logits])
        assert [g[0].item() for g in grads] == pytest.approx([-0.5, 0, 0])
    never = scalar(-math.inf, x).requires_grad_()
    value = F.poisson_log_prob(x, never)
    assert value.tolist() == [0, -math.inf]
    assert torch.autograd.grad(value[0], never)[0][0] == 0
    # Nothing but zeros where there is no dispersion left.
    value = F.negative_binomial_log_prob(x, torch.ones_like(x), torch.zeros_like(x))
    assert value.tolist() == [0, -math.inf]


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_zero_inflation_by_its_logits(dtype):
    x = torch.tensor([0, 1, 8.0], dtype=dtype)[:, None]
    mean, theta = scalar(2.5, x), scalar(0.7, x)
    nb = F.negative_binomial_log_prob(x, mean, theta)

    def zinb(value):
        logits = scalar(value, x).requires_grad_()
        out = F.zero_inflated_negative_binomial_log_prob(x, mean, theta, logits)
        return out.detach(), torch.autograd.grad(out.sum(), logits)[0][:, 0]

    for never in (-1e4, -100.0, -math.inf):
        value, grad = zinb(never)
        assert_close(value, nb)
        assert_close(grad, torch.zeros_like(grad))
    for always in (100.0, 1e4, 1e30):
        value, grad = zinb(always)
        assert_close(value, torch.tensor([0, -always, -always], dtype=dtype) + nb * (x[:, 0] > 0))
        assert_close(grad, torch.tensor([0, -1.0, -1.0], dtype=dtype))
    for logits in (-20.0, -2.0, 0.0, 3.0, 15.0):
        value, grad = zinb(logits)
        p = torch.sigmoid(torch.tensor(logits, dtype=F64))
        zero = p + (1 - p) * nb[0].double().exp()
        assert_close(value[0].double(), zero.log(), rtol=1e-5, atol=1e-7)
        assert_close(value[1:].double(), (1 - p).log() + nb[1:].double(), rtol=1e-6, atol=1e-6)
        slope = p * (1 - p) * (1 - nb[0].double().exp()) / zero
        assert_close(grad.double(), torch.stack([slope, -p, -p]), rtol=1e-5, atol=1e-7)


def test_a_zero_that_both_parts_make_improbable():
    """Both exponentials underflow; their sum's logarithm does not."""
    x, mean = torch.zeros(1, 1), torch.full((1, 1), 400.0)
    theta, logits = torch.full((1, 1), 100.0), torch.full((1, 1), -200.0)
    value = F.zero_inflated_negative_binomial_log_prob(x, mean, theta, logits)
    truth = np.logaddexp(-200.0, -100 * math.log(5))
    assert value.item() == pytest.approx(truth, rel=1e-6)


BETWEEN = torch.tensor([[0.3, 0.999, 1.0, 2.5], [7.0, 20.25, 0.01, 60.0]], dtype=F64)
OPS = {
    "poisson": (F.poisson_log_prob, 1),
    "negative binomial": (F.negative_binomial_log_prob, 2),
    "zero-inflated": (F.zero_inflated_negative_binomial_log_prob, 3),
}


@pytest.mark.parametrize("name", OPS)
def test_gradients_of_the_counts_too(name):
    op, parameters = OPS[name]
    random = torch.Generator().manual_seed(0)
    given = [torch.randn(2, 4, generator=random, dtype=F64).exp() for _ in range(parameters)]
    leaves = [t.requires_grad_() for t in (BETWEEN.clone(), *given)]
    assert gradcheck(op, leaves)
    # Each alone, and without the counts, which have a kernel of their own.
    whole = torch.autograd.grad(op(*leaves).sum(), leaves)
    for k, leaf in enumerate(leaves):
        assert_close(torch.autograd.grad(op(*leaves).sum(), leaf)[0], whole[k])
    frozen = [leaves[0].detach(), *leaves[1:]]
    assert_close(torch.autograd.grad(op(*frozen).sum(), leaves[1:]), whole[1:])
    single = [t.detach().float().requires_grad_() for t in leaves]
    assert_close(
        [g.double() for g in torch.autograd.grad(op(*single).sum(), single)],
        list(whole),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", OPS)
def test_counts_of_any_kind(name):
    op, parameters = OPS[name]
    given = torch.rand(parameters, 3, 5)
    x = torch.randint(0, 255, (3, 5), dtype=torch.uint8)
    assert torch.equal(op(x, *given), op(x.float(), *given))
    assert torch.equal(op(x > 100, *given), op((x > 100).float(), *given))
    for dtype in (torch.int16, torch.int32, torch.int64):
        assert torch.equal(op(x.to(dtype), *given), op(x.float(), *given))
    far = torch.tensor([[2**24 + 1, 3, 4]])
    with pytest.raises(ValueError, match=r"_log_prob: x has integers beyond 2\^24, which float32"):
        op(far, *given[:, :1, :3].unbind())
    exact = [g.double() for g in given[:, :1, :3]]
    assert torch.equal(op(far, *exact), op(far.double(), *exact))


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_negative_counts_show(name, dtype):
    op, parameters = OPS[name]
    given = torch.rand(parameters, 2, 3, dtype=dtype, requires_grad=True)
    x = torch.tensor([[1, 2, 3], [4, -0.5, 6]], dtype=dtype)
    value = op(x, *given.unbind())
    assert value.isnan().tolist() == [False, True]
    (grad,) = torch.autograd.grad(value.sum(), given)
    assert torch.equal(grad.isnan().any(0), x < 0)
    assert op(-torch.zeros(2, 3, dtype=dtype), *given.unbind()).isfinite().all()


def test_one_inverse_dispersion_for_each_gene():
    """Its gradient is a sum over cells, made in the same pass as the others'."""
    random = torch.Generator().manual_seed(1)
    x = torch.poisson(torch.full((600, 77), 2.0), generator=random)
    mean, theta, logits = torch.rand(3, 600, 77, generator=random)
    leaves = [t.requires_grad_() for t in (mean + 0.1, theta[0] + 0.1, logits)]
    value = F.zero_inflated_negative_binomial_log_prob(x, *leaves)
    weight = torch.rand(600, generator=random)
    few = torch.autograd.grad(value, leaves, weight)
    full = [leaves[0], leaves[1].expand(600, 77).detach().requires_grad_(), leaves[2]]
    again = F.zero_inflated_negative_binomial_log_prob(x, *full)
    assert_close(value, again)
    many = torch.autograd.grad(again, full, weight)
    assert_close(few[0], many[0])
    assert_close(few[1], many[1].sum(0), rtol=1e-5, atol=1e-3)
    assert_close(few[2], many[2])


def exact_by_log_mean(x, log_mean, t):
    """In 60 digits."""
    m = mpmath.exp(log_mean)
    ways = mpmath.loggamma(x + t) - mpmath.loggamma(t) - mpmath.loggamma(x + 1)
    return ways + t * mpmath.log(t / (t + m)) + x * (log_mean - mpmath.log(t + m))


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 3e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("log_mean", [-1200.0, -100.0, -81.0, -79.0, 0.0, 79.0, 81.0, 300.0, 750.0])
def test_a_mean_smaller_or_larger_than_any_number(log_mean, dtype, rtol):
    for x in (0.0, 1.0, 1e4):
        for t in (1e-3, 1.0, 1e3):
            given = [torch.tensor([[log_mean]], dtype=dtype), torch.tensor([t], dtype=dtype)]
            eta, dispersion = (v.requires_grad_() for v in given)
            count = torch.full((1, 1), x, dtype=dtype)
            value = F.negative_binomial_log_prob(count, None, dispersion, log_mean=eta)
            ours = [value.item(), *(g.item() for g in torch.autograd.grad(value, given))]
            with mpmath.workdps(60):
                at = mpmath.mpf(x), mpmath.mpf(log_mean), mpmath.mpf(dispersion.item())
                exact = float(exact_by_log_mean(*at))
                slopes = [
                    float(mpmath.diff(exact_by_log_mean, at, n)) for n in ((0, 1, 0), (0, 0, 1))
                ]
            size = max(1.0, 0.3 * abs(exact))
            for mine, true in zip(ours, [exact, *slopes], strict=True):
                assert abs(mine - true) <= rtol * (abs(true) + size), (x, t)


def test_shares_that_underflow_keep_a_step_finite():
    """A softmax gives 0 for the first share, and -inf for the count of 1 that it must explain."""
    logits = torch.tensor([[-1200.0, 0.0, 0.0, 0.0]], requires_grad=True)
    dispersion = torch.ones(4, requires_grad=True)
    counts = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    log_mean = logits.log_softmax(-1) + math.log(10)
    for value in (
        F.negative_binomial_log_prob(counts, None, dispersion, log_mean=log_mean),
        F.zero_inflated_negative_binomial_log_prob(
            counts, None, dispersion, torch.zeros(4), log_mean=log_mean
        ),
    ):
        assert value.item() < -1200 and value.isfinite().all()
        for grad in torch.autograd.grad(value, (logits, dispersion), retain_graph=True):
            assert grad.isfinite().all()


def test_a_mean_or_its_logarithm():
    x = torch.ones(2, 3)
    for op, rest in (
        (F.negative_binomial_log_prob, (x,)),
        (F.zero_inflated_negative_binomial_log_prob, (x, x)),
    ):
        torch.testing.assert_close(op(x, None, *rest, log_mean=x), op(x, x.exp(), *rest))
        with pytest.raises(TypeError, match="expected one of mean and log_mean, got mean and log"):
            op(x, x, *rest, log_mean=x)
        with pytest.raises(TypeError, match="expected one of mean and log_mean, got none"):
            op(x, None, *rest)
