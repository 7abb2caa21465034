"""Classes: the mass sums to one, torch's cross entropy is its negative, and what is no class."""

import itertools
import math

import pytest
import torch
from torch.func import vmap
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, differentiate, in_float64

F64 = torch.float64
CASE = CASES["categorical_log_prob"]
# One vector, its tail, several; lanes along positions and along classes; more than a tile holds.
CLASSES = [1, 2, 3, 8, 9, 16, 17, 31, 64, 100, 256, 777, 1024, 1025, 5000, 20_001]


def draw(*shape, dtype=F64, scale=3.0, seed=0):
    x = scale * torch.randn(shape, dtype=F64, generator=torch.Generator().manual_seed(seed))
    return x.to(dtype)


def classes(c, *shape, seed=1):
    return torch.randint(c, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("c", CLASSES)
def test_the_mass_sums_to_one(c):
    logits = draw(c)
    mass = F.categorical_log_prob(torch.arange(c), logits, batch_ndim=1).exp()
    assert mass.shape == (c,)
    assert_close(mass.sum(), torch.ones((), dtype=F64))
    assert_close(mass, torch.softmax(logits, -1))


def test_the_mass_of_an_event_sums_to_one():
    logits = draw(3, 4)
    every = torch.tensor(list(itertools.product(range(4), repeat=3)))
    mass = F.categorical_log_prob(every, logits).exp()
    assert mass.shape == (64,)
    assert_close(mass.sum(), torch.ones((), dtype=F64))


@pytest.mark.parametrize("dtype", [F64, torch.float32])
@pytest.mark.parametrize("c", CLASSES)
def test_it_is_minus_the_cross_entropy(c, dtype):
    x, logits = classes(c, 3, 7), draw(3, 7, c, dtype=dtype).requires_grad_()
    exact = logits.detach().double().requires_grad_()
    truth = -cross_entropy(exact.flatten(0, 1), x.flatten(), reduction="none").view(3, 7).sum(-1)
    value = F.categorical_log_prob(x, logits)
    close = {"rtol": 1e-12, "atol": 1e-12} if dtype == F64 else {"rtol": 3e-6, "atol": 1e-6}
    assert_close(value.double(), truth, **close)
    for weight in (-torch.ones(3) / 3, torch.tensor([0.3, -2.0, 5.0])):  # made beside, and later
        (ours,) = torch.autograd.grad(value, logits, weight.to(dtype), retain_graph=True)
        (slope,) = torch.autograd.grad(truth, exact, weight.double(), retain_graph=True)
        assert_close(ours.double(), slope, **close)


@pytest.mark.parametrize("c", [2, 5, 40])
@pytest.mark.parametrize("batch_ndim", [0, 1, 2])
def test_gradients_by_finite_differences(c, batch_ndim):
    x, logits = classes(c, 2, 3), draw(2, 3, c).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda t: F.categorical_log_prob(x, t, batch_ndim=batch_ndim), logits
    )
    assert torch.autograd.gradgradcheck(
        lambda t: F.categorical_log_prob(x, t, batch_ndim=batch_ndim), logits, fast_mode=True
    )


@pytest.mark.parametrize("c", CLASSES)
def test_a_shift_of_all_logits_changes_nothing(c):
    x, logits = classes(c, 4, 5), draw(4, 5, c).requires_grad_()
    value = F.categorical_log_prob(x, logits)
    for shift in (1.0, -37.5, 1e4):
        assert_close(F.categorical_log_prob(x, logits + shift), value, rtol=1e-9, atol=1e-9)
    (grad,) = torch.autograd.grad(value.sum(), logits)
    assert_close(grad.sum(-1), torch.zeros(4, 5, dtype=F64))


@pytest.mark.parametrize("dtype", [F64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("c", [2, 20, 6000])
def test_logits_of_any_size(c, dtype):
    logits = draw(8, c, dtype=dtype)
    for row, (at, value) in enumerate([(0, 1e4), (1, -1e4), (0, 6e4), (1, -6e4)]):
        logits[row, at] = value
        logits[row + 4, :] = value
        logits[row + 4, 0] = -value
    for k in (0, 1):
        inputs = {"x": torch.full((8,), k), "logits": logits.detach().requires_grad_()}
        values, grads = differentiate(CASE, inputs, CASE.learned)
        truth, slopes = differentiate(CASE.specification, in_float64(inputs), CASE.learned)
        assert values[0].isfinite().all() and grads["logits"].isfinite().all()
        assert_close(values[0].double(), truth[0], rtol=1e-6, atol=1e-6)
        tolerance = max(torch.finfo(dtype).eps, 1e-6)
        assert_close(grads["logits"].double(), slopes["logits"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("c", [3, 20, 9000])
def test_an_impossible_class_costs_infinitely_much_and_others_nothing(c):
    logits = draw(2, c, dtype=torch.float32)
    logits[:, 1] = -math.inf
    logits[1, : c - 1] = -math.inf  # whole pieces of a long row
    logits.requires_grad_()
    x = torch.tensor([0, c - 1])
    value = F.categorical_log_prob(x, logits)
    (grad,) = torch.autograd.grad(value.sum(), logits)
    rest = torch.cat([logits[0, :1], logits[0, 2:]]).detach()
    assert_close(value[0], torch.log_softmax(rest, -1)[0])
    assert value[1] == 0 and (grad[:, 1] == 0).all() and grad.isfinite().all()
    assert F.categorical_log_prob(torch.tensor([1, 1]), logits).tolist() == [-math.inf, -math.inf]
    assert F.categorical_log_prob(x, torch.full((2, c), -math.inf)).isnan().all()


def test_a_lone_class_is_certain():
    logits = draw(4, 5, 1, dtype=torch.float32).requires_grad_()
    value = F.categorical_log_prob(torch.zeros(4, 5, dtype=torch.int64), logits)
    assert (value == 0).all()
    assert (torch.autograd.grad(value.sum(), logits)[0] == 0).all()


@pytest.mark.parametrize("bad", [-1, -(2**40), 2**40, "C"])
@pytest.mark.parametrize("c", [1, 4, 40, 9000])
def test_what_is_no_class_gives_nan_where_it_stands(c, bad):
    x, logits = classes(c, 4, 3), draw(4, 3, c).requires_grad_()
    x[2, 1] = c if bad == "C" else bad
    value = F.categorical_log_prob(x, logits)
    assert value.isnan().tolist() == [False, False, True, False]
    for weight in (torch.ones(4), torch.rand(4)):
        (grad,) = torch.autograd.grad(value, logits, weight.double(), retain_graph=True)
        nan = torch.zeros(4, 3, dtype=torch.bool)
        nan[2, 1] = True
        assert torch.equal(grad.isnan(), nan[..., None].expand_as(grad))
    truth = CASE.specification({"x": x, "logits": logits})
    assert_close(value, truth, equal_nan=True)
    (slope,) = torch.autograd.grad(truth.sum(), logits)
    assert torch.equal(slope.isnan(), grad.isnan())


@pytest.mark.parametrize("c", [4, 40])
def test_a_nan_or_an_infinity_spoils_its_own_position(c):
    for poison in (math.nan, math.inf):
        logits = draw(3, 5, c)
        logits[1, 2, 1] = poison
        logits.requires_grad_()
        value = F.categorical_log_prob(classes(c, 3, 5), logits)
        assert value.isnan().tolist() == [False, True, False]
        (grad,) = torch.autograd.grad(value.sum(), logits)
        assert grad[1, 2].isnan().all() and grad.isnan().sum() == c


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
@pytest.mark.parametrize("c", [4, 256])
def test_classes_of_every_integer_dtype(c, dtype):
    x, logits = classes(c, 3, 5), draw(3, 5, c)
    assert torch.equal(
        F.categorical_log_prob(x.to(dtype), logits), F.categorical_log_prob(x, logits)
    )


# x, logits without their classes, batch_ndim
SHAPES = [
    ((4, 6), (4, 6), 1),
    ((4, 6), (3, 4, 6), 2),  # many samples of one datum
    ((6,), (3, 4, 6), 2),
    ((3, 4, 6), (4, 6), 2),  # logits that are shared
    ((3, 4, 6), (3, 1, 6), 2),
    ((3, 4, 6), (6,), 2),
    ((3, 1, 6), (1, 4, 6), 2),
    ((5,), (5,), 1),  # labels
    ((3, 5), (5,), 2),
    ((5,), (3, 5), 2),
    ((5,), (), 1),
    ((), (5,), 1),
    ((), (), 0),
    ((2, 3, 4), (2, 3, 4), 0),
    ((2, 1, 1), (2, 1, 1), 1),
]


@pytest.mark.parametrize("c", [3, 40])
@pytest.mark.parametrize(("of_x", "of_logits", "batch_ndim"), SHAPES)
def test_batch_dimensions_broadcast(of_x, of_logits, batch_ndim, c):
    x, logits = classes(c, *of_x), draw(*of_logits, c).requires_grad_()
    shape = torch.broadcast_shapes(of_x, of_logits)
    value = F.categorical_log_prob(x, logits, batch_ndim=batch_ndim)
    assert value.shape == shape[:batch_ndim]
    log_probs = torch.log_softmax(logits, -1).expand(*shape, c)
    truth = log_probs.gather(-1, x.expand(shape)[..., None])[..., 0]
    truth = truth.sum(tuple(range(batch_ndim, len(shape)))) if len(shape) > batch_ndim else truth
    assert_close(value, truth)
    weight = torch.rand_like(truth)
    assert_close(
        torch.autograd.grad(value, logits, weight), torch.autograd.grad(truth, logits, weight)
    )


@pytest.mark.parametrize("c", [2, 8, 30, 300, 1500])
@pytest.mark.parametrize("dtype", [F64, torch.float32, torch.float16])
def test_classes_that_lie_in_planes(c, dtype):
    """The output of a convolution: (B, C, H, W)."""
    x, planes = classes(c, 2, 5, 7), draw(2, c, 5, 7, dtype=dtype).requires_grad_()
    value = F.categorical_log_prob(x, planes.movedim(1, -1))
    (grad,) = torch.autograd.grad(value.mean(), planes)
    rows = planes.detach().movedim(1, -1).contiguous().requires_grad_()
    expected = F.categorical_log_prob(x, rows)
    (slope,) = torch.autograd.grad(expected.mean(), rows)
    assert_close(value, expected)
    assert_close(grad, slope.movedim(-1, 1))


def test_gradients_per_sample():
    x, logits = classes(7, 6, 5), draw(6, 5, 7)

    def one(logits, x):
        return F.categorical_log_prob(x, logits, batch_ndim=0)

    slopes = torch.nn.functional.one_hot(x, 7) - torch.softmax(logits, -1)
    assert_close(vmap(torch.func.grad(one))(logits, x), slopes)
    shared = vmap(torch.func.grad(one), in_dims=(None, 0))(logits[0], x)
    assert_close(shared, torch.nn.functional.one_hot(x, 7) - torch.softmax(logits[:1], -1))


def test_any_layout_of_both():
    x, logits = classes(9, 4, 5, 6), draw(4, 5, 6, 9)
    expected = F.categorical_log_prob(x, logits)
    for some_x in (x, x.mT.contiguous().mT, x.repeat_interleave(2, -1)[..., ::2], x.int()):
        for order in itertools.permutations(range(4)):
            back = [order.index(d) for d in range(4)]
            laid = logits.permute(order).contiguous().permute(back)
            assert_close(F.categorical_log_prob(some_x, laid), expected)
        assert_close(
            F.categorical_log_prob(some_x, logits.repeat_interleave(3, -1)[..., ::3]), expected
        )


X, LOGITS = torch.zeros(4, 5, dtype=torch.int64), torch.zeros(4, 5, 3)
BAD = {
    "float data": (
        X.float(),
        LOGITS,
        TypeError,
        "x must be int64, int32, int16 or uint8, got Float",
    ),
    "bool data": (X.bool(), LOGITS, TypeError, "x must be int64, int32, int16 or uint8, got Bool"),
    "integer logits": (X, LOGITS.long(), TypeError, "logits must be float32.* got Long"),
    "a number": (X, LOGITS[0, 0, 0], ValueError, r"classes, at least one, got shape \[\]"),
    "no classes": (X, LOGITS[..., :0], ValueError, r"at least one, got shape \[4, 5, 0\]"),
    "event": (
        X,
        torch.zeros(4, 6, 3),
        ValueError,
        r"x of shape \[4, 5\] and logits of shape \[4, 6, 3\].*equal event shapes",
    ),
    "event of one": (X, LOGITS[:, :1], ValueError, r"\[4, 5\] .* \[4, 1, 3\].*equal event shapes"),
    "event missing": (X, LOGITS[0, 0], ValueError, r"\[4, 5\] .* \[3\].*equal event shapes"),
    "batch": (
        X,
        torch.zeros(3, 5, 3),
        ValueError,
        r"\[4, 5\] does not broadcast with logits of shape \[3, 5, 3\]",
    ),
}


@pytest.mark.parametrize("where", ["cpu", "meta"])
@pytest.mark.parametrize("name", BAD)
def test_errors_name_what_came(name, where):
    x, logits, kind, words = BAD[name]
    with pytest.raises(kind, match=f"categorical_log_prob: .*{words}"):
        F.categorical_log_prob(x.to(where), logits.to(where))


def test_the_batch_cannot_have_more_dimensions_than_there_are():
    with pytest.raises(ValueError, match=r"batch_ndim must be between 0 and 2.*got 3"):
        F.categorical_log_prob(X, LOGITS, batch_ndim=3)
