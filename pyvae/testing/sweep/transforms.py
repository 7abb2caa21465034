"""An op under torch.func and vmap, and its higher and forward derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.testing import assert_close

from pyvae.testing import Inputs, OpCase, Result, outputs

__all__ = [
    "test_create_graph_in_eager",
    "test_forward_mode_outside_torch_func",
    "test_grad_and_jacobians",
    "test_grad_of_grad_and_the_third_derivative",
    "test_jvp",
    "test_second_derivatives",
    "test_vmap_equals_a_loop",
]

SMALL = (2, 3, 2)


def scalar(
    function: Callable[[Inputs], Result], inputs: Inputs, wanted: Sequence[str]
) -> Callable[..., Tensor]:
    """A scalar of the results as a function of the arguments in ``wanted``, nonlinear in each."""

    def of(*values: Tensor) -> Tensor:
        results = outputs(function({**inputs, **dict(zip(wanted, values, strict=True))}))
        return torch.stack([(r * r.detach().cos() + 0.1 * r.square()).sum() for r in results]).sum()

    return of


def small(case: OpCase) -> tuple[Inputs, list[Tensor]]:
    inputs = case.inputs(*SMALL[: len(case.sizes)], dtype=torch.float64)
    return inputs, [inputs[name] for name in case.differentiable]


def both(case: OpCase) -> tuple[list[Callable[..., Tensor]], list[Tensor]]:
    inputs, values = small(case)
    return [scalar(f, inputs, case.differentiable) for f in (case, case.specification)], values


def test_grad_and_jacobians(case: OpCase) -> None:
    (ours, truth), values = both(case)
    places = tuple(range(len(values)))
    expected = grad(truth, places)(*values)
    assert_close(grad(ours, places)(*values), expected)
    assert_close(jacrev(ours, places)(*values), expected)
    assert_close(jacfwd(ours, places)(*values), expected)


def test_jvp(case: OpCase) -> None:
    (ours, truth), values = both(case)
    for place in range(len(values)):  # one tangent, then all: none may be lost
        tangents = [torch.randn_like(v) * (i == place) for i, v in enumerate(values)]
        assert_close(
            jvp(ours, tuple(values), tuple(tangents)), jvp(truth, tuple(values), tuple(tangents))
        )
    directions = tuple(torch.randn_like(v) for v in values)
    found = jvp(ours, tuple(values), directions)
    assert_close(found, jvp(truth, tuple(values), directions))
    assert found[1] != 0


def test_forward_mode_outside_torch_func(case: OpCase) -> None:
    inputs, _ = small(case)
    name = case.differentiable[-1]
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(inputs[name], torch.ones_like(inputs[name]))
        ours, truth = (outputs(f({**inputs, name: dual})) for f in (case, case.specification))
        for a, b in zip(ours, truth, strict=True):
            assert_close(*(torch.autograd.forward_ad.unpack_dual(t).tangent for t in (a, b)))


def test_second_derivatives(case: OpCase) -> None:
    (ours, truth), values = both(case)
    places = tuple(range(len(values)))
    expected = hessian(truth, places)(*values)
    assert_close(hessian(ours, places)(*values), expected)
    assert_close(jacrev(jacrev(ours, places), places)(*values), expected)
    assert_close(jacrev(jacfwd(ours, places), places)(*values), expected)


def test_grad_of_grad_and_the_third_derivative(case: OpCase) -> None:
    (ours, truth), values = both(case)
    for place in range(len(values)):

        def nested(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
            for _ in range(3):
                inner = f

                def f(v: Tensor, inner: Callable[[Tensor], Tensor] = inner) -> Tensor:
                    return grad(lambda u: inner(u))(v).sum()  # type: ignore[no-any-return]

            return f(x)

        def at(f: Callable[..., Tensor], place: int = place) -> Callable[[Tensor], Tensor]:
            return lambda v: f(*values[:place], v, *values[place + 1 :])

        assert_close(nested(at(ours), values[place]), nested(at(truth), values[place]))


def test_create_graph_in_eager(case: OpCase) -> None:
    def third(f: Callable[[Inputs], Result]) -> list[Tensor]:
        inputs, _ = small(case)
        leaves = [inputs[n].clone().requires_grad_() for n in case.differentiable]
        value = scalar(f, inputs, case.differentiable)(*leaves)
        found = [value]
        for _ in range(3):
            grads = torch.autograd.grad(value, leaves, create_graph=True)
            found += grads
            value = torch.stack([g.square().sum() for g in grads]).sum()
        return found

    assert_close(third(case), third(case.specification))


@pytest.mark.parametrize("in_dims", ["all", "one"])
def test_vmap_equals_a_loop(case: OpCase, in_dims: str) -> None:
    inputs, _ = small(case)
    names = case.differentiable if in_dims == "all" else case.differentiable[:1]
    stacked = {n: torch.stack([inputs[n], inputs[n] + 0.3, inputs[n] * 0.5], -1) for n in names}

    def of(some: Inputs) -> Any:
        return outputs(case({**inputs, **some}))

    def slopes(some: Inputs) -> Any:
        return grad(lambda s: sum(r.square().sum() for r in of(s)))(some)

    for f in (of, slopes):
        mapped = vmap(f, in_dims=({n: -1 for n in names},), randomness="same")(stacked)
        loop = [f({n: t.select(-1, i) for n, t in stacked.items()}) for i in range(3)]
        expected = (
            {n: torch.stack([o[n] for o in loop]) for n in names}
            if isinstance(loop[0], dict)
            else tuple(torch.stack(o) for o in zip(*loop, strict=True))
        )
        assert_close(mapped, expected)
