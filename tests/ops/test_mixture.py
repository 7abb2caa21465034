"""Mixtures of diagonal Gaussians, and the estimates of the aggregated posterior made of them."""

import itertools
import math

import pytest
import torch
from torch import distributions as D
from torch.autograd import gradcheck
from torch.testing import assert_close

from pyvae import functional as F
from pyvae import reference
from pyvae.benchmarking import memory_of

F64 = torch.float64
log_prob = F.gaussian_mixture_log_prob


def draw(b, k, d, weights="shared", dtype=F64, seed=0):
    """z, means, logvars and normalized log-weights."""
    generator = torch.Generator().manual_seed(seed)
    randn = lambda *shape: torch.randn(*shape, generator=generator, dtype=F64)  # noqa: E731
    logits = randn(b, k) if weights == "each" else randn(k)
    parts = randn(b, d), randn(k, d), 0.5 * randn(k, d), logits.log_softmax(-1)
    return tuple(t.to(dtype) for t in parts[: None if weights else 3])


def grid(*axes):
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


@pytest.mark.parametrize("weights", ["shared", None])
def test_it_integrates_to_one(weights):
    _, *mixture = draw(1, 5, 2, weights)
    axis = torch.linspace(-20, 20, 801, dtype=F64)
    step = axis[1] - axis[0]
    line = [mixture[0][:, :1], mixture[1][:, :1], *mixture[2:]]
    one = torch.ones((), dtype=F64)
    assert_close(log_prob(axis[:, None], *line).exp().sum() * step, one)
    assert_close(log_prob(grid(axis, axis), *mixture).exp().sum() * step**2, one)


def test_dimensions_by_themselves_are_the_marginals():
    _, *mixture = draw(1, 4, 2)
    axis = torch.linspace(-20, 20, 801, dtype=F64)
    whole = log_prob(grid(axis, axis), *mixture).exp().reshape(801, 801)
    each = log_prob(axis[:, None].expand(-1, 2), *mixture, per_dimension=True).exp()
    step = axis[1] - axis[0]
    assert_close(each[:, 0], whole.sum(1) * step, rtol=1e-6, atol=1e-12)
    assert_close(each[:, 1], whole.sum(0) * step, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("weights", ["shared", "each", None])
def test_it_is_the_density_of_torch_distributions(weights):
    z, means, logvars, *rest = draw(40, 7, 5, weights)
    logits = rest[0] if rest else torch.zeros(7, dtype=F64)
    components = D.Independent(D.Normal(means, (logvars / 2).exp()), 1)
    theirs = D.MixtureSameFamily(D.Categorical(logits=logits), components.expand(logits.shape))
    assert_close(log_prob(z, means, logvars, *rest), theirs.log_prob(z))


@pytest.mark.parametrize("per_dimension", [False, True])
def test_one_component_is_a_gaussian(per_dimension):
    z, mean, logvar = draw(9, 1, 6, None)
    ndim = 2 if per_dimension else 1
    expected = F.gaussian_log_prob(z, mean.expand(9, -1), logvar, batch_ndim=ndim)
    assert_close(log_prob(z, mean, logvar, per_dimension=per_dimension), expected)


@pytest.mark.parametrize("per_dimension", [False, True])
def test_order_and_copies_of_components_change_nothing(per_dimension):
    z, means, logvars, log_weights = draw(9, 50, 6)
    value = log_prob(z, means, logvars, log_weights, per_dimension=per_dimension)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    mixed = (t[order] for t in (means, logvars, log_weights))
    assert_close(log_prob(z, *mixed, per_dimension=per_dimension), value)
    half = torch.cat([log_weights, log_weights]) - math.log(2)
    twice = (torch.cat([means, means]), torch.cat([logvars, logvars]), half)
    assert_close(log_prob(z, *twice, per_dimension=per_dimension), value)


def test_weights_are_added_as_given():
    z, means, logvars, log_weights = draw(9, 4, 6)
    assert_close(
        log_prob(z, means, logvars, log_weights + 3), log_prob(z, means, logvars, log_weights) + 3
    )
    each = log_weights.expand(9, -1) + torch.arange(9.0)[:, None]
    assert_close(
        log_prob(z, means, logvars, each),
        log_prob(z, means, logvars, log_weights) + torch.arange(9.0),
    )


@pytest.mark.parametrize("per_dimension", [False, True])
def test_far_from_the_origin_nothing_is_lost(per_dimension):
    generator = torch.Generator().manual_seed(0)
    ints = torch.randint(-64, 64, (50, 8), generator=generator)
    z, means = (ints / 128).split([30, 20])  # exact, also when shifted
    logvars = torch.full_like(means, -4)
    near, far = (
        log_prob(z + shift, means + shift, logvars, per_dimension=per_dimension)
        for shift in (0, 30)
    )
    assert_close(far, near, rtol=0, atol=1e-4)


#: Around tiles of 32 points or components, 256 of them, and spans of 128 or 256 columns; around 128
#: points and columns, up to which weights are kept, and parts of 128 components.
SIZES = [(1, 1, 1), (32, 32, 4), (33, 65, 257), (270, 20, 260), (20, 270, 260), (3, 40, 1025)]
SIZES += [(97, 300, 40), (128, 129, 128), (129, 128, 5)]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("per_dimension", [False, True])
@pytest.mark.parametrize("weights", ["shared", "each", None])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_size_is_the_specification(sizes, weights, per_dimension, dtype):
    given = [t.requires_grad_() for t in draw(*sizes, weights, dtype)]
    exact = [t.detach().double().requires_grad_() for t in given]
    ours = log_prob(*given, per_dimension=per_dimension)
    truth = reference.gaussian_mixture_log_prob(
        *exact, *[None] * (4 - len(exact)), per_dimension=per_dimension
    )
    slope = torch.randn(truth.shape, dtype=F64, generator=torch.Generator().manual_seed(1))
    grads = torch.autograd.grad(ours, given, slope.to(dtype))
    true_grads = torch.autograd.grad(truth, exact, slope)
    rtol = 1e-10 if dtype == F64 else 2e-6
    assert_close(ours.double(), truth, rtol=rtol, atol=rtol)
    for a, b in zip(grads, true_grads, strict=True):
        # A logit of size s is known to s eps, and so are the weights that are made of it.
        slack = 2 * rtol * b.abs().max().item() * max(1, truth.abs().max().item() / 10)
        assert_close(a.double(), b, rtol=0, atol=slack)


@pytest.mark.parametrize("per_dimension", [False, True])
@pytest.mark.parametrize("weights", ["shared", "each", None])
@pytest.mark.parametrize("sizes", [(3, 2, 4), (35, 34, 3), (2, 3, 130), (129, 2, 3)], ids=str)
def test_gradients_are_finite_differences(sizes, weights, per_dimension):
    given = [t.requires_grad_() for t in draw(*sizes, weights)]
    assert gradcheck(lambda *t: log_prob(*t, per_dimension=per_dimension), given, fast_mode=True)
    for wanted in range(len(given)):  # one at a time: each has a mask of its own
        some = [t.detach().requires_grad_(i == wanted) for i, t in enumerate(given)]
        assert gradcheck(lambda *t: log_prob(*t, per_dimension=per_dimension), some, fast_mode=True)


@pytest.mark.parametrize("weights", ["shared", "each"])
@pytest.mark.parametrize("components", [3, 700])
def test_points_of_no_columns_have_the_weights_alone(components, weights):
    given = [t.requires_grad_() for t in draw(5, components, 0, weights)]
    value = log_prob(*given)
    *empty, of_weights = torch.autograd.grad(value, given, torch.full((5,), 2.0, dtype=F64))
    assert_close(value, torch.zeros(5, dtype=F64), rtol=0, atol=1e-12)
    expected = given[-1].detach().exp() * (2 if weights == "each" else 10)
    assert_close(of_weights, expected, rtol=1e-12, atol=1e-14)
    assert [g.numel() for g in empty] == [0, 0, 0]


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("per_dimension", [False, True])
def test_a_component_may_be_switched_off(per_dimension, each):
    z, means, logvars, log_weights = draw(6, 5, 3, "each" if each else "shared", torch.float32)
    log_weights[..., 2] = -math.inf
    means[2] = 1e4
    given = [t.requires_grad_() for t in (z, means, logvars, log_weights)]
    value = log_prob(*given, per_dimension=per_dimension)
    rest = [0, 1, 3, 4]
    fewer = (z, means[rest], logvars[rest], log_weights[..., rest])
    assert_close(value, log_prob(*fewer, per_dimension=per_dimension))
    grads = torch.autograd.grad(value.sum(), given)
    assert all(g.isfinite().all() for g in grads)
    assert (grads[1][2] == 0).all() and (grads[2][2] == 0).all() and (grads[3][..., 2] == 0).all()


@pytest.mark.parametrize("each", [False, True])
def test_no_component_at_all(each):
    z, means, logvars, log_weights = draw(6, 5, 3, "each" if each else "shared", torch.float32)
    given = [t.requires_grad_() for t in (z, means, logvars, log_weights - math.inf)]
    value = log_prob(*given)
    assert (value == -math.inf).all()
    assert all((g == 0).all() for g in torch.autograd.grad(value.sum(), given))


@pytest.mark.parametrize("logvar", [-4.0, 0.0, 4.0])
def test_far_points_are_finite(logvar):
    z = torch.tensor([[1e4, -1e4], [0.0, 1e4]])
    means = torch.tensor([[0.0, 0.0], [1e4, -1e4], [-1e4, 3.0]])
    given = [t.requires_grad_() for t in (z, means, torch.full_like(means, logvar))]
    exact = [t.detach().double().requires_grad_() for t in given]
    ours, truth = log_prob(*given), reference.gaussian_mixture_log_prob(*exact)
    assert ours.isfinite().all()
    assert_close(ours.double(), truth, rtol=1e-6, atol=1e-6)
    grads = torch.autograd.grad(ours.sum(), given)
    for a, b in zip(grads, torch.autograd.grad(truth.sum(), exact), strict=True):
        assert_close(a.double(), b, rtol=1e-5, atol=1e-5)


def test_batches_of_any_shape():
    z, means, logvars, log_weights = draw(24, 5, 3, "each")
    flat = log_prob(z, means, logvars, log_weights)
    for batch in ((2, 12), (2, 3, 4), (24, 1)):
        shaped = (z.reshape(*batch, 3), means, logvars, log_weights.reshape(*batch, 5))
        leaves = [t.clone().requires_grad_() for t in shaped]
        value = log_prob(*leaves)
        assert_close(value, flat.reshape(batch))
        grads = torch.autograd.grad(value.sum(), leaves)
        assert [g.shape for g in grads] == [t.shape for t in leaves]
    assert_close(log_prob(z[3], means, logvars, log_weights[3]), flat[3])
    # Dimensions that do not collapse into rows
    turned = z.reshape(2, 3, 4, 3).transpose(0, 1)
    leaf = turned.detach().requires_grad_()
    value = log_prob(leaf, means, logvars, log_weights.reshape(2, 3, 4, 5).transpose(0, 1))
    assert_close(value, flat.reshape(2, 3, 4).transpose(0, 1))
    (grad,) = torch.autograd.grad(value.sum(), leaf)
    leaf = z.requires_grad_()
    (plain,) = torch.autograd.grad(log_prob(leaf, means, logvars, log_weights).sum(), leaf)
    assert_close(grad, plain.reshape(2, 3, 4, 3).transpose(0, 1))


@pytest.mark.parametrize("per_dimension", [False, True])
@pytest.mark.parametrize("b, d", [(0, 3), (4, 0), (0, 0)])
def test_nothing_to_do(b, d, per_dimension):
    given = [t.requires_grad_() for t in draw(b, 5, d)]
    value = log_prob(*given, per_dimension=per_dimension)
    truth = reference.gaussian_mixture_log_prob(*given, per_dimension)
    assert_close(value, truth)
    slope = torch.ones_like(value)
    assert_close(torch.autograd.grad(value, given, slope), torch.autograd.grad(truth, given, slope))


@pytest.mark.parametrize("weights", ["shared", "each"])
def test_memory_is_points_plus_components(weights):
    n = 1024
    given = [t.requires_grad_() for t in draw(n, n, 8, weights, torch.float32)]
    slope = torch.ones(n)

    def run(_):
        return torch.autograd.grad(log_prob(*given), given, slope)

    run(None)
    assert memory_of(run).extra <= 64 * 2 * n  # pairs alone would be 4 n^2


def test_few_points_keep_no_more_than_a_megabyte():
    for k, d in [(500, 40), (1100, 128), (2000, 8)]:
        given = [t.requires_grad_() for t in draw(128, k, d, dtype=torch.float32)]

        def run(_, given=given):
            return torch.autograd.grad(log_prob(*given), given, torch.ones(128))

        run(None)
        assert memory_of(run).extra <= 2**20 + 64 * (128 + k)


def test_memory_of_dimensions_is_no_more_than_the_result():
    given = [t.requires_grad_() for t in draw(300, 200, 100, dtype=torch.float32)]
    slope = torch.ones(300, 100)

    def run(_):
        return torch.autograd.grad(log_prob(*given, per_dimension=True), given, slope)

    run(None)
    assert memory_of(run).extra <= 300 * 100 * 4 + 64 * 500


zeros = torch.zeros
Z, M = zeros(4, 3), zeros(5, 3)
BAD = {
    "no component": (lambda: log_prob(Z, zeros(0, 3), zeros(0, 3)), ("means", "K", "[0, 3]")),
    "a vector of means": (lambda: log_prob(Z, zeros(3), zeros(3)), ("means", "(K, d)", "[3]")),
    "other log-variances": (lambda: log_prob(Z, M, zeros(3)), ("logvars", "[5, 3]", "[3]")),
    "other dimensions": (lambda: log_prob(zeros(4, 2), M, M), ("z", "d = 3", "[4, 2]")),
    "a number": (lambda: log_prob(zeros(()), M, M), ("z", "[]")),
    "too many weights": (lambda: log_prob(Z, M, M, zeros(6)), ("log_weights", "K = 5", "[6]")),
    "weights of others": (lambda: log_prob(Z, M, M, zeros(3, 5)), ("log_weights", "[4]", "[3, 5]")),
    "batch": (
        lambda: F.minibatch_weighted_log_weights(0, 5),
        ("minibatch_weighted_log_weights", "batch_size", "1", "0"),
    ),
    "lone point": (
        lambda: F.minibatch_stratified_log_weights(0, 5),
        ("minibatch_stratified_log_weights", "batch_size", "1", "0"),
    ),
    "data": (
        lambda: F.minibatch_stratified_log_weights(6, 5),
        ("minibatch_stratified_log_weights", "dataset_size", "6", "5"),
    ),
}


@pytest.mark.parametrize("call, words", BAD.values(), ids=BAD)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert "log_" in str(caught.value)
    for word in words:
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"


def test_minibatch_weighting():
    """q(z) ~ 1 / (N M) sum_m q(z|n_m)."""
    z, means, logvars = draw(6, 6, 3, None)
    weights = F.minibatch_weighted_log_weights(6, 50, dtype=F64)
    densities = torch.stack(
        [F.gaussian_log_prob(z, means[m], logvars[m]).exp() for m in range(6)], 1
    )
    assert_close(log_prob(z, means, logvars, weights).exp(), densities.sum(1) / (50 * 6))


@pytest.mark.parametrize("n, batch", [(4, 2), (5, 3), (5, 4), (4, 4)])
def test_minibatch_stratified_sampling_is_unbiased(n, batch):
    """Over all minibatches that hold the data point n* of z in row i, the mean is q(z)."""
    z, means, logvars = draw(1, n, 2, None)
    truth = log_prob(z, means, logvars).exp()
    weights = F.minibatch_stratified_log_weights(batch, n, dtype=F64)
    found = {(i, star): [] for i in range(batch) for star in range(n)}
    for members in itertools.permutations(range(n), batch):
        m = list(members)
        estimate = log_prob(z.expand(batch, -1), means[m], logvars[m], weights).exp()
        for i in range(batch):
            found[i, m[i]].append(estimate[i])
    for estimates in found.values():
        assert_close(torch.stack(estimates).mean(0, keepdim=True), truth)


def test_dtypes_and_devices_of_the_weights():
    for function in (F.minibatch_weighted_log_weights, F.minibatch_stratified_log_weights):
        assert function(3, 9).dtype == torch.float32
        assert function(3, 9, dtype=F64).dtype == F64
        assert function(3, 9, device="meta").device.type == "meta"
