"""Any layout gives the values of the contiguous one, and any incoming gradient will do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pyvae.testing import Inputs, OpCase, Result, differentiate, outputs

__all__ = [
    "test_empty_batches_and_events",
    "test_incoming_gradients_of_any_layout",
    "test_leaves_that_are_not_contiguous",
    "test_only_one_result_is_used",
    "test_strided_operands",
]


def chunked(t: Tensor) -> Tensor:
    return torch.cat([t, t + 1], -1).chunk(2, -1)[0]


def padded(t: Tensor) -> Tensor:
    return torch.nn.functional.pad(t, (2, 3))[..., 2:-3]


def transposed(t: Tensor) -> Tensor:
    return t.mT.contiguous().mT if t.ndim > 1 else t.clone()


def strided(t: Tensor) -> Tensor:
    return t.repeat_interleave(2, -1)[..., ::2]


LAYOUTS = [chunked, padded, transposed, strided]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda f: f.__name__)
def test_strided_operands(
    case: OpCase, layout: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    sizes = (2, 7, 65)[-len(case.sizes) :]
    names = [n for n, t in case.inputs().items() if torch.is_tensor(t) and t.ndim and n != "seed"]
    plain = case.inputs(*sizes, dtype=dtype, requires_grad=case.differentiable)
    expected = differentiate(case, plain, case.differentiable)
    for some in (names, *([name] for name in names)):

        def laid(inputs: Inputs, some: list[str] = some) -> Result:
            return case({**inputs, **{name: layout(inputs[name]) for name in some}})

        assert_close(differentiate(laid, plain, case.differentiable), expected)


def test_leaves_that_are_not_contiguous(case: OpCase) -> None:
    """The gradient then is written straight into the layout of its argument."""
    plain = case.inputs(requires_grad=case.differentiable)
    laid = {
        n: transposed(t.detach()).requires_grad_(t.requires_grad)
        if torch.is_tensor(t) and t.ndim == 2
        else t
        for n, t in plain.items()
    }
    expected, actual = (differentiate(case, i, case.differentiable) for i in (plain, laid))
    assert_close(actual, expected)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0), (2, 0, 3)], ids=str)
def test_empty_batches_and_events(case: OpCase, shape: tuple[int, ...]) -> None:
    if case.paired or case.images:
        pytest.skip("the operands have no common shape")
    plain = case.inputs()
    inputs = {
        n: t.new_zeros((*shape, *t.shape[2:])) if torch.is_tensor(t) and t.ndim else t
        for n, t in plain.items()
    }
    inputs = {n: t.requires_grad_() if n in case.differentiable else t for n, t in inputs.items()}
    values, grads = differentiate(case, inputs, case.differentiable)
    truth, true_grads = differentiate(case.specification, inputs, case.differentiable)
    assert_close(values, truth, equal_nan=True)
    assert_close(grads, true_grads, equal_nan=True)


def count(r: Tensor) -> Tensor:
    return torch.arange(1.0, r.numel() + 1).to(r)


INCOMING: dict[str, Callable[[Tensor], Tensor]] = {
    "expanded": lambda r: torch.ones(()).to(r).expand_as(r),
    "expanded, not one": lambda r: torch.full((), 0.3).to(r).expand_as(r),
    "strided": lambda r: count(r).repeat_interleave(2)[::2].reshape(r.shape),
    "transposed": lambda r: count(r).reshape(r.shape[::-1]).permute(tuple(range(r.ndim))[::-1]),
    "row of one": lambda r: (
        count(r.flatten()[: r.shape[-1] if r.ndim else 1]).expand(r.shape)
        if r.ndim
        else count(r).reshape(())
    ),
}


@pytest.mark.parametrize("incoming", INCOMING)
def test_incoming_gradients_of_any_layout(case: OpCase, incoming: str) -> None:
    for wanted in (case.differentiable, case.learned):
        inputs = case.inputs(requires_grad=wanted)
        leaves = [inputs[name] for name in wanted]
        ours, truth = outputs(case(inputs)), outputs(case.specification(inputs))
        grads = [INCOMING[incoming](r) for r in ours]
        assert_close(
            torch.autograd.grad(ours, leaves, grads),
            torch.autograd.grad(truth, leaves, grads),
            rtol=1e-5,
            atol=1e-4,
        )


def test_only_one_result_is_used(case: OpCase) -> None:
    inputs = case.inputs(requires_grad=case.differentiable)
    leaves = [inputs[name] for name in case.differentiable]
    if len(outputs(case(inputs))) == 1:
        pytest.skip("there is one result")
    for k, truth in enumerate(outputs(case.specification(inputs))):
        ours = outputs(case(inputs))[k]
        weight = torch.randn_like(ours)
        assert_close(
            torch.autograd.grad(ours, leaves, weight),
            torch.autograd.grad(truth, leaves, weight, retain_graph=True, materialize_grads=True),
        )
