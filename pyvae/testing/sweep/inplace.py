"""inplace=True: the gradient takes the parameters' storage, and autograd sees any misuse."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pyvae.testing import Inputs, OpCase, outputs

__all__ = [
    "test_a_leaf_is_never_overwritten",
    "test_a_second_backward_raises",
    "test_another_use_raises",
    "test_changing_the_overwritten_tensor_raises",
    "test_gradients_where_storage_cannot_be_shared",
    "test_the_same_values_and_gradients",
    "test_the_storage_is_the_gradients",
    "test_where_the_permission_is_ignored",
]


class Layer(torch.autograd.Function):
    """Stands for the layer before: its output is new memory, its gradient goes through."""

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        return t.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


new_memory: Callable[[Tensor], Tensor] = Layer.apply


def overwritten(case: OpCase) -> str:
    """The argument whose storage becomes its gradient's: the first that is learned."""
    parameters = inspect.signature(case.function).parameters.values()
    takes = any(p.name == "inplace" or p.kind is p.VAR_KEYWORD for p in parameters)
    if not takes or not hasattr(case.ops, f"{case.native}_inplace"):
        pytest.skip("the op overwrites nothing")
    return case.learned[0]


def prepare(case: OpCase, *sizes: int, **options: Any) -> tuple[str, Inputs, Tensor, Tensor]:
    """The argument's name, inputs, the leaf, and what a layer makes of it."""
    target = overwritten(case)
    inputs = case.inputs(*sizes, requires_grad=case.learned, **options)
    leaf: Tensor = inputs[target]
    return target, inputs, leaf, new_memory(leaf)


def run(case: OpCase, inputs: Inputs, target: str, t: Tensor, **options: Any) -> Tensor:
    return outputs(case({**inputs, target: t}, **options))[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, -0.25])
def test_the_same_values_and_gradients(case: OpCase, scale: float, dtype: torch.dtype) -> None:
    for sizes in ((), (3, 257, 5), (129, 33, 2)):
        target, inputs, leaf, t = prepare(case, *sizes[: len(case.sizes)], dtype=dtype)
        leaves = [inputs[n] for n in case.learned]
        plain = run(case, inputs, target, new_memory(leaf))
        expected = torch.autograd.grad(plain, leaves, torch.full_like(plain, scale))
        value = run(case, inputs, target, t, inplace=True)
        assert_close(value, plain)
        assert_close(torch.autograd.grad(value, leaves, torch.full_like(value, scale)), expected)


def test_the_storage_is_the_gradients(case: OpCase) -> None:
    target, inputs, leaf, t = prepare(case)
    value = run(case, inputs, target, t, inplace=True)
    (grad,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
    assert grad.data_ptr() == t.data_ptr()


def test_a_leaf_is_never_overwritten(case: OpCase) -> None:
    target, inputs, leaf, _ = prepare(case)
    with pytest.raises(ValueError, match=f"inplace=True would overwrite {target}, a leaf"):
        run(case, inputs, target, leaf, inplace=True)


def test_another_use_raises(case: OpCase) -> None:
    target, inputs, leaf, t = prepare(case)
    earlier = (t * t).sum()  # saved t
    value = run(case, inputs, target, t, inplace=True).sum()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(earlier + value, leaf)

    target, inputs, leaf, t = prepare(case)
    value = run(case, inputs, target, t, inplace=True).sum()
    with pytest.raises(RuntimeError, match="inplace"):
        torch.autograd.grad(value + t.sum(), leaf)


def test_a_second_backward_raises(case: OpCase) -> None:
    target, inputs, leaf, t = prepare(case)
    value = run(case, inputs, target, t, inplace=True)
    weight = torch.full_like(value, 0.5)
    torch.autograd.grad(value, leaf, weight, retain_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(value, leaf, weight)


def test_changing_the_overwritten_tensor_raises(case: OpCase) -> None:
    target, inputs, leaf, t = prepare(case)
    value = run(case, inputs, target, t, inplace=True)
    with torch.no_grad():
        t.add_(1)
    with pytest.raises(RuntimeError, match="inplace"):
        torch.autograd.grad(value, leaf, torch.ones_like(value))


def test_where_the_permission_is_ignored(case: OpCase) -> None:
    target, inputs, leaf, t = prepare(case)
    before, expected = t.detach().clone(), run(case, inputs, target, leaf).detach()

    def untouched(value: Tensor) -> None:
        assert_close(value.detach(), expected)
        assert torch.equal(t.detach(), before)

    with torch.no_grad():
        untouched(run(case, inputs, target, t, inplace=True))
        untouched(run(case, inputs, target, leaf, inplace=True))
    with torch.inference_mode():
        untouched(run(case, inputs, target, t, inplace=True))
    frozen = {n: v.detach() if torch.is_tensor(v) else v for n, v in inputs.items()}
    untouched(run(case, frozen, target, t.detach(), inplace=True))

    def scalar(v: Tensor) -> Tensor:
        return run(case, frozen, target, v * 1, inplace=True).sum()

    ours = torch.func.grad(scalar)(t.detach())
    assert_close(ours, torch.autograd.grad(run(case, frozen, target, leaf).sum(), leaf)[0])
    assert torch.equal(t.detach(), before)

    compiled = torch.compile(scalar, fullgraph=True, backend="aot_eager")
    (ours_compiled,) = torch.autograd.grad(compiled(leaf), leaf)
    assert_close(ours_compiled, ours)
    assert torch.equal(leaf.detach(), before)


@pytest.mark.parametrize("form", ["expanded", "view of a leaf's memory", "half"])
def test_gradients_where_storage_cannot_be_shared(case: OpCase, form: str) -> None:
    """Whatever is done, the value, the gradient and the leaf stay right."""
    dtype = torch.bfloat16 if form == "half" else torch.float32
    target, inputs, leaf, t = prepare(case, dtype=dtype)
    before = leaf.detach().clone()
    if form == "expanded":
        leaf = leaf.detach()[:1].clone().requires_grad_()
        before, t = leaf.detach().clone(), leaf.expand_as(t)
    elif form == "view of a leaf's memory":
        t = leaf.view(leaf.shape)
    try:
        value = run(case, inputs, target, t, inplace=True)
    except (ValueError, RuntimeError):
        assert torch.equal(leaf.detach(), before)
        return
    (grad,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
    again = leaf.detach().clone().requires_grad_()
    assert torch.equal(again.detach(), before), "the leaf was overwritten"
    plain = run(case, inputs, target, again.expand_as(t))
    assert_close(grad, torch.autograd.grad(plain, again, torch.ones_like(plain))[0])
