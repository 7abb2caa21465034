"""The rank-one Gaussian is the dense one: in every value, every gradient and its samples."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence
from torch.func import vmap
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.distributions import DiagonalGaussian, Rank1Gaussian, StandardNormal, rsample_kl
from pyvae.testing import CASES, differentiate, in_float64

F64 = torch.float64
CASE = CASES["rank1_gaussian_rsample_kl"]
SEED = torch.tensor(5)


@pytest.fixture(autouse=True)
def validation_as_torch_starts():
    """torch.compile turns torch's default validation off for the whole process."""
    before = torch.distributions.Distribution._validate_args
    torch.distributions.Distribution.set_default_validate_args(True)
    yield
    torch.distributions.Distribution.set_default_validate_args(before)


def parameters(*shape, seed=0, dtype=F64):
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn((3, *shape), generator=generator, dtype=F64).to(dtype)
    return [t.clone().requires_grad_() for t in made]


def dense(mean, log_precision, u):
    precision = torch.diag_embed(log_precision.exp()) + u.unsqueeze(-1) * u.unsqueeze(-2)
    return MultivariateNormal(mean, precision_matrix=precision)


def standard(d):
    return MultivariateNormal(torch.zeros(d, dtype=F64), torch.eye(d, dtype=F64))


def kl(mean, log_precision, u):
    return F.rank1_gaussian_rsample_kl(mean, log_precision, u, seed=SEED)[1]


@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_the_kl_and_its_gradients_are_those_of_the_dense_covariance(d):
    leaves = parameters(6, d)
    ours, truth = kl(*leaves), kl_divergence(dense(*leaves), standard(d))
    assert_close(ours, truth)
    weight = torch.randn(6, dtype=F64)
    assert_close(
        torch.autograd.grad(ours, leaves, weight), torch.autograd.grad(truth, leaves, weight)
    )


@pytest.mark.parametrize("d", [1, 2, 7])
def test_samples_are_a_root_of_the_covariance_times_the_diagonal_ops_noise(d):
    """R = D^-1/2 - (1 - sqrt(eta)) / s D^-1 u u^T D^-1/2, the paper's equation; R R^T = C."""
    leaves = parameters(6, d)
    mean, log_precision, u = leaves
    w = torch.exp(-log_precision / 2)
    s = (w * u).square().sum(-1)[:, None, None]
    factor = (1 - torch.rsqrt(1 + s)) / s
    outer = (w.square() * u).unsqueeze(-1) * (u * w).unsqueeze(-2)
    root = torch.diag_embed(w) - factor * outer
    assert_close(root @ root.mT, dense(*leaves).covariance_matrix)

    zero = torch.zeros(6, d, dtype=F64)
    eps = F.gaussian_rsample(zero, zero, seed=SEED)
    z, _ = F.rank1_gaussian_rsample_kl(*leaves, seed=SEED)
    truth = mean + (root @ eps.unsqueeze(-1)).squeeze(-1)
    assert_close(z, truth)
    weight = torch.randn_like(z)
    assert_close(torch.autograd.grad(z, leaves, weight), torch.autograd.grad(truth, leaves, weight))


@pytest.mark.parametrize("dtype", [torch.float32, F64, torch.bfloat16])
def test_without_u_it_is_the_diagonal_op(dtype):
    mean, logvar = (t.detach() for t in parameters(9, 33, dtype=dtype)[:2])
    u = torch.zeros_like(mean).requires_grad_()
    ours = [mean.clone().requires_grad_(), (-logvar).requires_grad_()]
    theirs = [mean.clone().requires_grad_(), logvar.clone().requires_grad_()]
    values = F.rank1_gaussian_rsample_kl(*ours, u, seed=SEED)
    expected = F.gaussian_rsample_kl(*theirs, seed=SEED)
    assert_close(values, expected, rtol=1e-6, atol=1e-6)
    weights = [torch.randn_like(v) for v in values]
    grads = torch.autograd.grad(values, [*ours, u], weights)
    mean_grad, logvar_grad = torch.autograd.grad(expected, theirs, weights)
    assert_close(grads[0], mean_grad)
    assert_close(grads[1], -logvar_grad)
    assert (grads[2] == 0).all()  # even in u


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e-6, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_a_small_u_has_the_gradient_of_its_second_order(size, dtype):
    """To second order in u the KL gains 1/2 sum (1 - v_i) v_i u_i^2, with v = 1 / D."""
    mean, log_precision, direction = parameters(5, 8, dtype=dtype)
    u = (size * direction).detach().requires_grad_()
    (grad,) = torch.autograd.grad(kl(mean, log_precision, u).sum(), u)
    v = torch.exp(-log_precision.double())
    truth = (1 - v) * v * u.double()
    assert_close(grad.double(), truth, rtol=1e-5, atol=(1e-6 + 500 * size**2) * size)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-4, 1e-2])
def test_the_kl_is_accurate_near_the_prior(size, dtype):
    """Of second order in log-precision and u^2: 1/4 |diag(l) + u u^T|^2 of all entries."""
    l, direction = (t.detach() for t in parameters(50, 6, dtype=dtype)[:2])  # noqa: E741
    log_precision, u = size * l, math.sqrt(size) * direction
    ours = kl(torch.zeros_like(u), log_precision, u).double()
    change = torch.diag_embed(log_precision.double()) + u.double().unsqueeze(
        -1
    ) * u.double().unsqueeze(-2)
    assert_close(ours, change.square().sum((-1, -2)) / 4, rtol=60 * size + 2e-6, atol=0)
    assert (ours > 0).all()


def test_u_and_minus_u_are_one():
    mean, log_precision, u = parameters(20, 9)
    for ours, theirs in zip(
        F.rank1_gaussian_rsample_kl(mean, log_precision, u, seed=SEED),
        F.rank1_gaussian_rsample_kl(mean, log_precision, -u, seed=SEED),
        strict=True,
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_the_kl_is_positive(scale, dtype):
    values = kl(*(scale * t for t in parameters(5000, 4, dtype=dtype)))
    assert (values > 0).all()
    prior = torch.zeros(3, 4, dtype=dtype)
    assert (kl(prior, prior, prior) == 0).all()


# One precision from next to nothing to enormous, beside others that are ordinary; and one u.
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0, 6e4])
@pytest.mark.parametrize("l", [-80.0, -40.0, -20.0, -5.0, 20.0, 80.0])
def test_one_element_that_outweighs_all_others(l, size, dtype):  # noqa: E741
    """Its variance is 1 / u^2 as its precision goes to 0, however small that is."""
    inputs = {
        "mean": torch.full((1, 4), 0.5),
        "log_precision": torch.tensor([[l, 0.3, -0.2, 1.0]]),
        "u": torch.tensor([[size, 0.7, -0.1, 0.2]]),
    }
    inputs = {n: t.to(dtype).requires_grad_() for n, t in inputs.items()}
    inputs["seed"] = SEED
    values, grads = differentiate(CASE, inputs, CASE.differentiable)
    truth, slopes = differentiate(CASE.specification, in_float64(inputs), CASE.differentiable)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for a, b in [
        *zip(values, truth, strict=True),
        *((grads[n], slopes[n]) for n in CASE.differentiable),
    ]:
        assert_close(a.double(), b, rtol=tolerance, atol=tolerance * b.abs().max().item())
    # A Gaussian of two latents in closed form: what is left of a vanishing precision.
    q = Rank1Gaussian(*(inputs[n].detach()[:, :2] for n in CASE.differentiable))
    a, b, u, v = math.exp(l), math.exp(0.3), size, 0.7
    determinant = a * b + a * v * v + b * u * u
    variance = torch.tensor([[(b + v * v) / determinant, (a + u * u) / determinant]])
    assert_close(q.variance.double(), variance.double(), rtol=1e-4, atol=0)
    z = Rank1Gaussian(0 * q.mean, q.log_precision, q.u).rsample((200_000,), seed=SEED)
    spread = z.double().square().mean(0) / variance.double()
    assert_close(spread, torch.ones_like(spread), rtol=0.02, atol=0)


def test_many_event_dimensions_are_one_vector():
    mean, log_precision, u = parameters(3, 4, 5)
    whole = F.rank1_gaussian_rsample_kl(mean, log_precision, u, seed=SEED)
    flat = F.rank1_gaussian_rsample_kl(*(t.flatten(1) for t in (mean, log_precision, u)), seed=SEED)
    assert_close(whole[0].flatten(1), flat[0])
    assert_close(whole[1], flat[1])
    laid = [t.mT.contiguous().mT for t in (mean, log_precision, u)]  # not one stretch of memory
    assert_close(F.rank1_gaussian_rsample_kl(*laid, seed=SEED), whole)


def test_rows_longer_than_a_tile():
    names = ("mean", "log_precision", "u")
    given = [t.detach() for t in parameters(2, 5000)]
    given[2][1, 4321] = 1e4  # an element of the last tile outweighs those of the first
    inputs = {n: t.requires_grad_() for n, t in zip(names, given, strict=True)} | {"seed": SEED}
    ours, truth = (differentiate(f, inputs, names) for f in (CASE, CASE.specification))
    assert_close(ours, truth)


def test_randomness_under_vmap():
    zeros = torch.zeros(3, 4, 5)

    def draw(m):
        return F.rank1_gaussian_rsample_kl(m, m, m, batch_ndim=0)[0]

    def twice(randomness):
        return vmap(vmap(draw, randomness=randomness), randomness=randomness)(zeros)

    assert twice("different").unique().numel() == 60
    assert twice("same").unique().numel() == 5
    leaves = parameters(3, 4, 5)
    seeds = torch.arange(12).reshape(3, 4)

    def both(m, v, u, seed):
        return F.rank1_gaussian_rsample_kl(m, v, u, batch_ndim=0, seed=seed)

    mapped = vmap(vmap(both))(*leaves, seeds)
    loop = [both(*args) for args in zip(*(t.flatten(0, 1) for t in (*leaves, seeds)), strict=True)]
    for ours, expected in zip(mapped, zip(*loop, strict=True), strict=True):
        assert_close(ours.flatten(0, 1), torch.stack(expected))


def test_shapes_must_be_equal():
    m = torch.zeros(4, 5)
    for bad in ((m, m[0], m), (m, m, m[:1]), (m, m, m[:, :1]), (m[0], m, m)):
        with pytest.raises(ValueError, match=r"rank1_gaussian_rsample_kl: .*shape"):
            F.rank1_gaussian_rsample_kl(*bad)
    with pytest.raises(ValueError, match=r"must have the shape \[4, 5\] of mean, got \[5\]"):
        F.rank1_gaussian_rsample_kl(m, m, m[0])
    with pytest.raises(TypeError, match=r"rank1_gaussian_rsample_kl: u must be float32.*Long"):
        F.rank1_gaussian_rsample_kl(m, m, m.long())
    with pytest.raises(ValueError, match="batch_ndim must be between 0 and 2"):
        F.rank1_gaussian_rsample_kl(m, m, m, batch_ndim=3)


# The distribution.


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 1)])
def test_every_property_and_method_equals_torch(shape):
    mean, log_precision, u = parameters(*shape)
    ours, theirs = Rank1Gaussian(mean, log_precision, u), dense(mean, log_precision, u)
    assert ours.batch_shape == theirs.batch_shape and ours.event_shape == theirs.event_shape
    assert ours.has_rsample
    for name in ("mean", "mode", "variance", "stddev", "covariance_matrix", "precision_matrix"):
        assert_close(getattr(ours, name), getattr(theirs, name))
    assert_close(ours.entropy(), theirs.entropy())
    for sample_shape in [(), (1,), (6,), (2, 5)]:
        value = ours.sample(sample_shape)
        assert value.shape == (*sample_shape, *shape) and value.dtype == F64
        assert_close(ours.log_prob(value), theirs.log_prob(value))
    wide, their_wide = ours.expand((5, *ours.batch_shape)), theirs.expand((5, *ours.batch_shape))
    assert_close(wide.log_prob(value[0]), their_wide.log_prob(value[0]))
    assert_close(wide.covariance_matrix, their_wide.covariance_matrix)
    assert wide.rsample((2,)).unique().numel() == 10 * math.prod(shape)


def test_gradients_equal_torch():
    def gradients(make):
        leaves = parameters(3, 4)
        q = make(*leaves)
        x = torch.randn(5, 3, 4, dtype=F64, generator=torch.Generator().manual_seed(1))
        total = q.log_prob(x).sum() + q.entropy().square().sum() + q.variance.sum()
        return torch.autograd.grad(total + q.covariance_matrix.square().sum(), leaves)

    assert_close(gradients(Rank1Gaussian), gradients(dense))


def test_the_density_integrates_to_one():
    q = Rank1Gaussian(*(t.detach() for t in parameters(2)))
    axis = torch.linspace(-14, 14, 561, dtype=F64)
    grid = torch.cartesian_prod(axis, axis)
    mass = q.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert_close(mass, torch.ones((), dtype=F64))


def test_samples_have_the_distributions_moments():
    q = Rank1Gaussian(*(t.detach() for t in parameters(2, 5, seed=3)))
    n = 200_000
    z = q.rsample((n,), seed=torch.tensor(1))
    assert ((z.mean(0) - q.mean).abs() < 4.5 * (q.variance / n).sqrt()).all()
    centred = z - q.mean
    found = torch.einsum("nbi,nbj->bij", centred, centred) / n
    variance = q.variance
    # Isserlis: Var(x_i x_j) = C_ii C_jj + C_ij^2
    spread = variance.unsqueeze(-1) * variance.unsqueeze(-2) + q.covariance_matrix.square()
    assert ((found - q.covariance_matrix).abs() < 4.5 * (spread / n).sqrt()).all()


PRIORS = {
    "standard": lambda: StandardNormal((4,), dtype=F64),
    "one for all": lambda: DiagonalGaussian(*(t[0] for t in parameters(3, 4, seed=8)[:2])),
    "one each": lambda: DiagonalGaussian(*parameters(3, 4, seed=8)[:2]),
}


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
def test_the_kl_of_the_distributions(prior):
    p, leaves = prior(), parameters(3, 4)
    if p.batch_shape == (4,):
        p = DiagonalGaussian(p.mean, p.logvar, event_ndim=1)
    q = Rank1Gaussian(*leaves)
    theirs = MultivariateNormal(p.mean, torch.diag_embed(p.variance))
    state = torch.get_rng_state()
    ours, truth = kl_divergence(q, p), kl_divergence(dense(*leaves), theirs)
    assert torch.equal(torch.get_rng_state(), state)  # a divergence draws nothing
    assert_close(ours, truth)
    assert_close(torch.autograd.grad(ours.sum(), leaves), torch.autograd.grad(truth.sum(), leaves))
    for sample_shape in ((), (5,)):
        torch.manual_seed(0)
        z, value = rsample_kl(q, p, sample_shape)
        torch.manual_seed(0)
        assert_close(z, q.rsample(sample_shape))
        assert_close(value, ours)
    z = q.rsample((50_000,), seed=SEED).detach()
    gap = q.log_prob(z) - p.log_prob(z)
    error = gap.std(0) / math.sqrt(len(z))
    assert ((gap.mean(0) - ours).abs() < 4.5 * error).all()


def test_parameters_that_broadcast():
    mean, log_precision, u = parameters(3, 4)
    q = Rank1Gaussian(mean, log_precision[0], u[:1])
    full = Rank1Gaussian(mean, log_precision[0].expand(3, 4), u[:1].expand(3, 4))
    assert_close(q.rsample(seed=SEED), full.rsample(seed=SEED))
    assert_close(q.covariance_matrix, full.covariance_matrix)
    assert_close(q.expand((2, 3)).entropy(), full.entropy().expand(2, 3))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_parameters_give_values_in_float32(dtype):
    leaves = [t.detach() for t in parameters(3, 4, dtype=dtype)]
    q, exact = Rank1Gaussian(*leaves), Rank1Gaussian(*(t.double() for t in leaves))
    z = q.rsample(seed=SEED)
    assert z.dtype == dtype and q.log_prob(z).dtype == q.entropy().dtype == torch.float32
    assert_close(q.log_prob(z).double(), exact.log_prob(z.double()), rtol=1e-5, atol=1e-5)
    assert_close(q.entropy().double(), exact.entropy(), rtol=1e-5, atol=1e-5)


def test_bad_parameters_raise():
    m = torch.zeros(3, 4)
    with pytest.raises(TypeError, match=r"Rank1Gaussian: u must be a floating-point.*int64"):
        Rank1Gaussian(m, m, m.long())
    with pytest.raises(ValueError, match=r"mean \(3, 4\), log_precision \(3, 5\), u .*broadcast"):
        Rank1Gaussian(m, torch.zeros(3, 5), m)
    with pytest.raises(ValueError, match="must have shape"):
        Rank1Gaussian(m[0, 0], m[0, 0], m[0, 0])
    bad = m.clone()
    bad[0, 0] = math.nan
    with pytest.raises(ValueError, match="Expected parameter u"):
        Rank1Gaussian(m, m, bad)
    assert Rank1Gaussian(m, m, bad, validate_args=False).batch_shape == (3,)
    with pytest.raises(ValueError, match="one event shape"):
        kl_divergence(Rank1Gaussian(m, m, m), StandardNormal((5,)))


def test_empty_batches():
    q = Rank1Gaussian(*[torch.zeros(0, 4)] * 3)
    z = q.sample((2,))
    assert z.shape == (2, 0, 4) and q.log_prob(z).shape == (2, 0)
    assert q.entropy().shape == kl_divergence(q, StandardNormal((4,))).shape == (0,)
    assert q.covariance_matrix.shape == (0, 4, 4)
