"""The maximum mean discrepancy: a distance of samples that is zero where they agree."""

import math

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch.autograd import gradcheck
from torch.testing import assert_close

from pyvae import functional as F
from pyvae import reference
from pyvae.benchmarking import memory_of

F64 = torch.float64
every_kernel = pytest.mark.parametrize("kernel", ["rbf", "imq"])
either = pytest.mark.parametrize("unbiased", [False, True])


def draw(*shape, seed=0, dtype=F64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64).to(dtype)


def similarity(kernel, a, b, scales):
    """One pair at a time, as the formula says."""
    distance = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
    if kernel == "rbf":
        return sum(math.exp(-distance / (2 * s**2)) for s in scales)
    return sum((c := 2 * len(a) * s**2) / (c + distance) for s in scales)


@every_kernel
@either
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_it_is_the_formula(kernel, unbiased, dtype):
    x, y, scales = draw(5, 3, dtype=dtype), draw(4, 3, seed=1, dtype=dtype), (0.7, 2.0)

    def mean(a, b, skip):
        pairs = [
            similarity(kernel, p, q, scales)
            for i, p in enumerate(a.tolist())
            for j, q in enumerate(b.tolist())
            if not (skip and i == j)
        ]
        return sum(pairs) / len(pairs)

    expected = mean(x, x, unbiased) + mean(y, y, unbiased) - 2 * mean(x, y, False)
    value = F.mmd(x, y, kernel=kernel, scales=scales, unbiased=unbiased)
    assert value.dtype == dtype and value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-5 if dtype != F64 else 1e-12)


#: Around tiles of 32 rows, 256 of them, and spans of 128 or 256 columns.
SIZES = [(2, 2, 1), (32, 33, 4), (65, 40, 257), (270, 20, 260), (30, 70, 130)]


@every_kernel
@either
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_size_is_the_specification(sizes, kernel, unbiased):
    b, c, d = sizes
    scales = (math.sqrt(d) / 2, math.sqrt(d))
    x, y = draw(b, d).requires_grad_(), (draw(c, d, seed=1) + 0.2).requires_grad_()
    ours = F.mmd(x, y, kernel=kernel, scales=scales, unbiased=unbiased)
    truth = reference.mmd(x, y, torch.tensor(scales, dtype=F64), kernel == "imq", unbiased)
    assert_close(ours, truth, rtol=1e-10, atol=1e-14)
    for wanted in ((x, y), (x,), (y,)):
        grads = (torch.autograd.grad(v, wanted, retain_graph=True) for v in (ours, truth))
        assert_close(*grads, rtol=1e-9, atol=1e-14)
    single = [t.detach().float().requires_grad_() for t in (x, y)]
    ours = F.mmd(*single, kernel=kernel, scales=scales, unbiased=unbiased)
    assert_close(ours.double(), truth, rtol=0, atol=1e-6)
    for a, b in zip(
        torch.autograd.grad(ours, single), torch.autograd.grad(truth, (x, y)), strict=True
    ):
        assert_close(a.double(), b, rtol=0, atol=1e-5 * b.abs().max().item())


@every_kernel
@either
@pytest.mark.parametrize("sizes", [(2, 3, 2), (35, 3, 2), (2, 34, 131)], ids=str)
def test_gradients_are_finite_differences(sizes, kernel, unbiased):
    b, c, d = sizes
    x, y = draw(b, d), draw(c, d, seed=1)

    def of(x, y):
        return F.mmd(x, y, kernel=kernel, scales=(1.0, math.sqrt(d)), unbiased=unbiased)

    for wanted in ((True, True), (True, False), (False, True)):
        given = [t.clone().requires_grad_(w) for t, w in zip((x, y), wanted, strict=True)]
        assert gradcheck(of, given, fast_mode=True)


@every_kernel
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_equal_samples_have_no_discrepancy(kernel, dtype):
    x = draw(70, 5, dtype=dtype).requires_grad_()
    value = F.mmd(x, x.detach(), kernel=kernel)
    assert abs(value.item()) < 1e-12
    (grad,) = torch.autograd.grad(value, x)
    assert grad.abs().max() < 1e-8


@every_kernel
def test_it_is_a_distance(kernel):
    for seed in range(20):
        x, y = draw(20, 3, seed=seed), draw(30, 3, seed=100 + seed)
        there, back = F.mmd(x, y, kernel=kernel), F.mmd(y, x, kernel=kernel)
        assert there > 0
        assert_close(there, back)


@every_kernel
def test_the_unbiased_estimate_is_zero_in_the_mean(kernel):
    options = {"kernel": kernel, "scales": (1.0, 2.0)}
    draws = [(draw(12, 3, seed=2 * i), draw(15, 3, seed=2 * i + 1)) for i in range(1500)]
    values = torch.stack([F.mmd(x, y, unbiased=True, **options) for x, y in draws])
    error = values.std() / len(values) ** 0.5
    assert values.mean().abs() < 4.5 * error
    assert (values < 0).any()
    biased = torch.stack([F.mmd(x, y, **options) for x, y in draws[:100]])
    assert biased.min() > 0 and biased.mean() > 20 * error


@every_kernel
@either
def test_scales_add_up(kernel, unbiased):
    x, y = draw(9, 3), draw(7, 3, seed=1)
    parts = [F.mmd(x, y, kernel=kernel, scales=(s,), unbiased=unbiased) for s in (0.5, 1.0, 3)]
    whole = F.mmd(x, y, kernel=kernel, scales=(0.5, 1.0, 3), unbiased=unbiased)
    assert_close(whole, sum(parts))


@every_kernel
def test_motions_change_nothing(kernel):
    x, y = draw(9, 4), draw(7, 4, seed=1)
    turn = torch.linalg.qr(draw(4, 4, seed=2)).Q
    value = F.mmd(x, y, kernel=kernel)
    assert_close(F.mmd(x @ turn + 5, y @ turn + 5, kernel=kernel), value)


@every_kernel
def test_far_from_the_origin_nothing_is_lost(kernel):
    ints = torch.randint(-64, 64, (50, 8), generator=torch.Generator().manual_seed(0))
    x, y = (ints / 128).split([30, 20])  # exact, also when shifted
    near, far = (F.mmd(x + s, y + s, kernel=kernel, scales=(0.1, 1.0)) for s in (0, 30))
    assert torch.equal(near, far)


@every_kernel
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scales_of_any_size(kernel, scale):
    x, y = draw(4, 3, dtype=torch.float32).requires_grad_(), draw(5, 3, dtype=torch.float32) + 1
    value = F.mmd(x, y, kernel=kernel, scales=(scale,))
    # each point is alone, or all are one
    assert_close(value.item(), 1 / 4 + 1 / 5 if scale < 1 else 0.0, rtol=1e-6, atol=1e-6)
    assert torch.autograd.grad(value, x)[0].isfinite().all()


def test_memory_is_that_of_the_gradients():
    x, y = (draw(1024, 8, seed=s, dtype=torch.float32).requires_grad_() for s in (0, 1))

    def run(_):
        return torch.autograd.grad(F.mmd(x, y), (x, y))

    run(None)
    assert memory_of(run).extra <= 16 * 2048  # pairs alone would be 4 * 1024^2


def test_other_scales_without_compiling_again():
    counter = CompileCounterWithBackend("aot_eager")
    x, y = draw(5, 3), draw(4, 3, seed=1)
    compiled = torch.compile(
        lambda *scales: F.mmd(x, y, scales=scales), fullgraph=True, backend=counter
    )
    counts = []
    for scale in (0.5, 0.7, 0.9, 1.1, 1.3):
        assert_close(compiled(scale, 2 * scale), F.mmd(x, y, scales=(scale, 2 * scale)))
        counts.append(counter.frame_count)
    # A number may be specialized once before torch.compile learns that it changes.
    assert counts[-1] == counts[1] <= 2
    torch._dynamo.reset()


zeros = torch.zeros
X, Y = zeros(4, 3), zeros(5, 3)
BAD = {
    "kernel": (lambda: F.mmd(X, Y, kernel="cosine"), ("kernel", "'imq'", "'cosine'")),
    "vectors": (lambda: F.mmd(zeros(3), Y), ("x", "(B, d)", "[3]")),
    "columns": (lambda: F.mmd(X, zeros(5, 2)), ("y", "d = 3", "[5, 2]")),
    "no column": (lambda: F.mmd(zeros(4, 0), zeros(5, 0)), ("x", "d at least 1", "[4, 0]")),
    "empty": (lambda: F.mmd(zeros(0, 3), Y), ("x", "B at least 1", "[0, 3]")),
    "lone point": (lambda: F.mmd(zeros(1, 3), Y, unbiased=True), ("x", "2 (unbiased)", "[1, 3]")),
    "other lone point": (lambda: F.mmd(X, X[:1], unbiased=True), ("y", "2 (unbiased)", "[1, 3]")),
    "no scale": (lambda: F.mmd(X, Y, scales=()), ("scales", "1 to 64", "[0]")),
    "many scales": (lambda: F.mmd(X, Y, scales=[1.0] * 65), ("scales", "1 to 64", "[65]")),
    "no width": (lambda: F.mmd(X, Y, scales=(1.0, 0.0)), ("scales", "positive", "0.0")),
    "negative": (lambda: F.mmd(X, Y, scales=(-1.0,)), ("scales", "positive", "-1.0")),
    "infinite": (lambda: F.mmd(X, Y, scales=(math.inf,)), ("scales", "finite", "inf")),
    "learned scales": (
        lambda: torch.ops.pyvae.mmd(X, Y, torch.ones(1, requires_grad=True)),
        ("scales", "gradient"),
    ),
}


@pytest.mark.parametrize("call, words", BAD.values(), ids=BAD)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    for word in ("mmd: ", *words):
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"
