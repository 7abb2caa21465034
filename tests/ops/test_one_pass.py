"""Gradients that come with the value: whatever comes to multiply them, they are right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pyvae import functional as F
from pyvae.testing import CASES, OpCase

HALVES = [torch.bfloat16, torch.float16]
DENSITIES = [
    case
    for case in CASES.values()
    if case.sizes == ("batch", "event")
    and hasattr(case.ops, f"_{case.native}_value_grad")
    and not case.images
]
#: Whole vectors and a tail; several segments; several chunks.
SIZES = [(6, 64), (5, 1100), (3, 8209)]
#: Beside them classes that lanes hold, and more; short events, several of which are an item; pixels
#: of several blocks, and such as do not fill one.
ROUNDED = {
    **{case.name: SIZES for case in DENSITIES},
    "categorical_log_prob": [(6, 19, 4), (7, 3, 40), (5, 2, 1500)],
    "discretized_logistic_mixture_log_prob": [(6, 30), (4, 300)],
    "discretized_logistic_mixture_log_prob_grey": [(6, 30), (4, 700)],
}
#: Of several parameters, of which the last may be one that all rows share.
SHARED = [case for case in DENSITIES if len(case.learned) > 1]


def weights(kind: str, rows: int) -> Tensor:
    """Incoming gradients: those of a loss of -mean(), and others."""
    ready = torch.full((rows,), -1 / rows)
    if kind == "some rows":
        ready[1::2] = torch.tensor([0.7, -3.0]).repeat(rows)[: len(ready[1::2])]
    return {"mean": ready, "some rows": ready, "sum": torch.full((rows,), -1.0)}[kind]


def truth(case: OpCase, inputs: dict, wanted: list[str], weight: Tensor) -> list[Tensor]:
    double = {
        n: t.detach().double().requires_grad_(n in wanted)
        if torch.is_tensor(t) and t.is_floating_point()
        else t
        for n, t in inputs.items()
    }
    value = case.specification(double)
    return list(torch.autograd.grad(value, [double[n] for n in wanted], weight.double()))


def assert_rounded_once(found: Tensor, exact: Tensor) -> None:
    """No further from the truth than half a place, and what float32 computes with."""
    info = torch.finfo(found.dtype)
    far = (found.double() - exact).abs()
    half = info.eps / 2 * exact.abs() + info.smallest_normal * info.eps / 2
    slack = 2e-5 * exact.abs() + 2e-6 * exact.abs().amax(-1, keepdim=True)
    assert (far <= half + slack).all()


def called(profile: torch.profiler.profile, op: str) -> bool:
    return any(event.key == f"pyvae::{op}" for event in profile.key_averages())


@pytest.mark.parametrize("kind", ["mean", "some rows", "sum"])
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ROUNDED)
def test_gradients_of_16_bits_are_rounded_once(name, dtype, kind):
    case = CASES[name]
    for sizes in ROUNDED[name]:
        inputs = case.inputs(*sizes, dtype=dtype, requires_grad=case.learned)
        leaves = [inputs[n] for n in case.learned]
        weight = weights(kind, sizes[0])
        with torch.profiler.profile() as profile:
            value = case(inputs)
            grads = torch.autograd.grad(value, leaves, weight)
        assert called(profile, f"_{case.native}_value_grad")
        assert not called(profile, f"{case.native}_backward")  # in place, if at all
        for found, exact in zip(grads, truth(case, inputs, case.learned, weight), strict=True):
            assert_rounded_once(found, exact)


@pytest.mark.parametrize("name", ROUNDED)
def test_gradients_of_16_bits_that_serve_are_not_made_again(name):
    """Whatever has become of the operands."""
    case, sizes = CASES[name], ROUNDED[name][0]
    inputs = case.inputs(*sizes, dtype=torch.bfloat16, requires_grad=case.learned)
    leaves, weight = [inputs[n] for n in case.learned], weights("mean", sizes[0])
    exact = truth(case, inputs, case.learned, weight)
    value = case(inputs)
    for leaf in leaves:
        leaf.data.fill_(torch.nan)  # unseen by autograd
    for found, other in zip(torch.autograd.grad(value, leaves, weight), exact, strict=True):
        assert_rounded_once(found, other)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize(
    "name, sizes",
    [
        ("gaussian_log_prob", (6, 4000)),
        ("categorical_log_prob", (6, 19, 40)),
        ("discretized_logistic_mixture_log_prob", (6, 70)),
    ],
)
def test_gradients_given_out_are_left_as_they_are(name, sizes, dtype):
    """With a graph that is kept, the ready gradients serve again, and others are made anew."""
    case = CASES[name]
    inputs = case.inputs(*sizes, dtype=dtype, requires_grad=case.learned)
    leaves = [inputs[n] for n in case.learned]
    value = case(inputs)
    given = {}
    for kind in ("mean", "some rows", "mean", "sum"):
        keep = kind != "sum"
        given[kind, keep] = torch.autograd.grad(value, leaves, weights(kind, 6), retain_graph=keep)
        for (name, _), grads in given.items():
            exact = truth(case, inputs, case.learned, weights(name, 6))
            for one, other in zip(grads, exact, strict=True):
                assert_rounded_once(one, other)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(value, leaves, weights("mean", 6))


def sharing(case: OpCase, dtype: torch.dtype, rows: int, cols: int) -> dict:
    """Arguments of which the last parameter is that of all rows."""
    inputs = case.inputs(rows, cols, dtype=dtype)
    last = case.learned[-1]
    inputs[last] = inputs[last][0] if inputs[last].dim() == 2 else inputs[last]
    for name in case.learned:
        inputs[name] = inputs[name].clone().requires_grad_()
    return inputs


def assert_sums(found: Tensor, exact: Tensor, terms: float) -> None:
    """As near as a sum of some rows comes that is rounded once."""
    close = torch.finfo(found.dtype).eps / 2 * exact.abs() + 2e-5 * terms + 1e-7
    assert ((found.double() - exact).abs() <= close).all()


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.name)
def test_sums_over_rows_that_serve_are_not_made_again(case, dtype):
    """Whatever has become of the operands; for any other incoming gradient they are read again."""
    for rows, cols in ((4, 7), (70, 130)):
        for kind in ("mean", "some rows"):
            inputs = sharing(case, dtype, rows, cols)
            leaves = [inputs[n] for n in case.learned]
            weight = weights(kind, rows)
            exact = truth(case, inputs, case.learned, weight)
            with torch.profiler.profile() as profile:
                value = case(inputs)
            assert called(profile, f"_{case.native}_value_grad")
            for leaf in leaves:
                leaf.data.fill_(torch.nan)  # unseen by autograd
            grads = torch.autograd.grad(value, leaves, weight)
            if kind == "some rows":
                assert grads[-1].isnan().all()
                continue
            for found, other in zip(grads, exact, strict=True):
                assert_sums(found, other, other.abs().max().item())


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.name)
def test_sums_over_rows_are_right_for_any_incoming_gradient(case, dtype):
    rows = 70
    inputs = sharing(case, dtype, rows, 130)
    leaves = [inputs[n] for n in case.learned]

    def check(grads: tuple[Tensor, ...], names: list[str], kind: str) -> None:
        exact = truth(case, inputs, names, weights(kind, rows))
        for found, other in zip(grads, exact, strict=True):
            assert_sums(found, other, other.abs().max().item())

    value = case(inputs)
    given = []
    for kind in ("mean", "some rows", "mean", "sum"):  # the last of them in place
        keep = kind != "sum"
        given.append((kind, torch.autograd.grad(value, leaves, weights(kind, rows), keep)))
        for earlier, grads in given:
            check(grads, list(case.learned), earlier)
    for kind in ("mean", "some rows", "sum"):
        for names in (case.learned[:1], case.learned[-1:]):
            some = [inputs[n] for n in names]
            check(torch.autograd.grad(case(inputs), some, weights(kind, rows)), names, kind)


@pytest.mark.parametrize("kind", ["mean", "some rows"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_beside_gradients_that_lie_in_another_order(dtype, kind):
    """Then columns are cut between channels, and a row's incoming gradient counts for each part."""
    x, mean = torch.randn(6, 3, 4, 5), torch.randn(6, 3, 4, 5).to(dtype)
    logvar = torch.randn(3, 4, 5).to(dtype).requires_grad_()
    mean = mean.to(memory_format=torch.channels_last).requires_grad_()
    weight = weights(kind, 6)
    value = F.gaussian_log_prob(x, mean, logvar)
    grads = torch.autograd.grad(value, (mean, logvar), weight)
    doubles = [t.detach().double().requires_grad_() for t in (mean, logvar)]
    exact = torch.autograd.grad(F.gaussian_log_prob(x.double(), *doubles), doubles, weight.double())
    for one, other in zip(grads, exact, strict=True):
        assert_sums(one, other, other.abs().max().item())


def test_a_scaled_loss_keeps_small_gradients_of_float16():
    """What 1 / B would flush to zero in float16, a gradient scaler saves."""
    x, logits = torch.rand(4096, 8), torch.full((4096, 8), -15.0).half().requires_grad_()
    x = torch.zeros_like(x)
    loss = -F.bernoulli_log_prob(x, logits).mean() * 65536
    (grad,) = torch.autograd.grad(loss, logits)
    exact = 16 * torch.sigmoid(logits.detach().double())
    assert_rounded_once(grad, exact)
    assert (grad != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("data", [torch.uint8, torch.bool])
def test_data_of_bytes_take_one_pass(data, dtype):
    x = (torch.rand(6, 200) > 0.5).to(data)
    logits = torch.randn(6, 200).to(dtype).requires_grad_()
    with torch.profiler.profile() as profile:
        (grad,) = torch.autograd.grad(-F.bernoulli_log_prob(x, logits).mean(), logits)
    assert not called(profile, "bernoulli_log_prob_backward")
    exact = (logits.detach().double().sigmoid() - x.double()) / 6
    assert_rounded_once(grad, exact)


@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_elbo_of_16_bits_in_one_pass(likelihood, reduction, scale, beta):
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator).bfloat16()  # noqa: E731
    x = torch.rand(5, 100, generator=generator)
    tensors = [draw(5, 100), draw(5, 100), draw(5, 7), draw(5, 7)]

    def loss(a: Tensor, b: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        decoded = a if likelihood == "bernoulli" else (a, b)
        options = {"likelihood": likelihood, "reduction": reduction, "beta": beta}
        return scale * F.elbo_loss(x.to(a.dtype), decoded, mean, logvar, **options)

    x = x.bfloat16()
    leaves = [t.clone().requires_grad_() for t in tensors]
    exact_leaves = [t.double().requires_grad_() for t in tensors]
    with torch.profiler.profile() as profile:
        found = torch.autograd.grad(loss(*leaves), leaves, allow_unused=True)
    assert not called(profile, f"{likelihood}_elbo_loss_backward")
    exact = torch.autograd.grad(loss(*exact_leaves), exact_leaves, allow_unused=True)
    for one, other in zip(found, exact, strict=True):
        if other is not None:
            assert_rounded_once(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_tangent_of_the_incoming_gradient_is_not_lost(dtype):
    """Ready gradients have none; that of the gradient is what the tangent makes of it."""
    x, logits = torch.rand(4, 9), torch.randn(4, 9).to(dtype).requires_grad_()
    value = F.bernoulli_log_prob(x, logits)
    weight, tangent = torch.full((4,), -0.25), torch.rand(4)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(weight, tangent)
        (grad,) = torch.autograd.grad(value, logits, dual)
        found = torch.autograd.forward_ad.unpack_dual(grad).tangent
    expected = tangent[:, None] * (x - logits.detach().float().sigmoid())
    assert found is not None
    torch.testing.assert_close(found.float(), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_a_loss_hands_on_what_was_made_with_it(beta):
    """Neither backward computes anything, unless something else comes in."""
    x, logits = torch.rand(6, 40), torch.randn(6, 40, requires_grad=True)
    kl = torch.rand(6, requires_grad=True)

    def grads(weight: float, of_terms: bool) -> tuple[tuple[Tensor, ...], set[str]]:
        with torch.profiler.profile() as profile:
            loss, terms = F.negative_elbo(F.bernoulli_log_prob(x, logits), kl, beta)
            loss = weight * loss if weight != 1 else loss
            loss = loss + terms[0] if of_terms else loss
            found = torch.autograd.grad(loss, (logits, kl))
        ops = ("negative_elbo_backward", "bernoulli_log_prob_backward")
        return found, {op for op in ops if called(profile, op)}

    exact = (logits.detach().sigmoid() - x) / 6
    for weight, of_terms in ((1.0, False), (3.0, False), (4.0, True)):
        (of_logits, of_kl), called_later = grads(weight, of_terms)
        assert bool(called_later) >= of_terms and (weight != 1 or not called_later)
        torch.testing.assert_close(of_logits, (weight - of_terms) * exact)
        torch.testing.assert_close(of_kl, torch.full((6,), (weight * beta - of_terms) / 6))
