"""With a mask a density is that of what is observed, whatever the rest may hold."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.func import grad, vmap
from torch.testing import assert_close

from pyvae.testing import Inputs, OpCase, differentiate, outputs

from .compiling import fresh

__all__ = [
    "test_a_mask_leaves_the_sum_over_what_is_observed",
    "test_a_mask_of_another_kind_is_named",
    "test_a_mask_under_compile_and_vmap",
    "test_a_row_without_anything_observed_counts_nothing",
    "test_masked_elements_may_hold_anything",
    "test_masks_broadcast",
]

BATCH, EVENT = 5, 19  # no other size is one of these
DTYPES = [torch.float64, torch.float32, torch.bfloat16]
NEAR: dict[torch.dtype, dict[str, Any]] = {
    torch.float64: {"rtol": 1e-9, "atol": 1e-11},
    torch.float32: {"rtol": 1e-5, "atol": 1e-5},
    torch.bfloat16: {"rtol": 1e-5, "atol": 1e-5},  # of values, which are in float32
}
NEAR_GRAD = {**NEAR, torch.bfloat16: {"rtol": 3e-2, "atol": 3e-2}}


def sizes(case: OpCase) -> list[int]:
    known = {"batch": BATCH, "event": EVENT}
    return [known.get(name, 2) for name in case.sizes]


def skip_unless_masked(case: OpCase) -> None:
    if "mask" not in inspect.signature(case.function).parameters:
        pytest.skip("it takes no mask")


def masked_inputs(case: OpCase, dtype: torch.dtype = torch.float64) -> tuple[Inputs, Tensor]:
    """Inputs, and which of their elements are observed (batch, event)."""
    skip_unless_masked(case)
    inputs = case.inputs(*sizes(case), dtype=dtype, requires_grad=case.differentiable)
    observed = torch.rand(BATCH, EVENT, generator=Generator().manual_seed(3)) < 0.6
    return {**case.options(*sizes(case)), **inputs}, observed


def as_mask(case: OpCase, observed: Tensor) -> Tensor:
    """As the op takes it: of images (batch, 1, 1, event)."""
    return observed[:, None, None] if case.images else observed


def no_reduction(case: OpCase) -> dict[str, str]:
    return {"reduction": "none"} if "elbo_loss" in case.native else {}


def of_row(t: Tensor, row: int, columns: Tensor) -> Tensor:
    """Some columns of a row: (1, columns)."""
    for dim, size in enumerate(t.shape):
        if size == EVENT:
            t = t.index_select(dim, columns)
        elif size == BATCH:
            t = t.narrow(dim, row, 1)
    return t


def spread(case: OpCase, inputs: Inputs, name: str, observed: Tensor) -> Tensor | None:
    """Where an operand is observed; None if it has no place for each element."""
    t = inputs[name]
    if not isinstance(t, Tensor) or t.shape[:1] != (BATCH,) or EVENT not in t.shape:
        return None
    seen = as_mask(case, observed)
    return seen.reshape(seen.shape + (1,) * (t.ndim - seen.ndim)).expand(t.shape)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d).split(".")[1])
def test_a_mask_leaves_the_sum_over_what_is_observed(case: OpCase, dtype: torch.dtype) -> None:
    """Values and gradients are those of the observed elements by themselves, row by row."""
    inputs, observed = masked_inputs(case, dtype)
    how = no_reduction(case)
    (ours,) = outputs(case(inputs, mask=as_mask(case, observed), **how))
    rows: list[Tensor] = []
    for row in range(BATCH):
        columns = observed[row].nonzero().squeeze(1)
        some = {
            n: of_row(t, row, columns) if isinstance(t, Tensor) else t for n, t in inputs.items()
        }
        rows += outputs(case(some, **how))
    alone = torch.cat(rows)
    assert_close(ours, alone, **NEAR[dtype])
    weights = torch.linspace(0.5, 1.5, BATCH)
    leaves = [inputs[name] for name in case.differentiable]
    found, right = (torch.autograd.grad(each, leaves, weights.to(each)) for each in (ours, alone))
    for name, mine, true in zip(case.differentiable, found, right, strict=True):
        assert mine.dtype == true.dtype, name
        assert_close(mine, true, **NEAR_GRAD[dtype], msg=f"gradients of {name} differ")
        seen = spread(case, inputs, name, observed)
        assert seen is None or (mine[~seen] == 0).all(), name


def test_masked_elements_may_hold_anything(case: OpCase) -> None:
    """NaN among data and parameters: no bit of value and gradients changes."""
    inputs, observed = masked_inputs(case, torch.float32)
    mask = as_mask(case, observed)

    def run(given: Inputs) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        return differentiate(lambda i: case(i, mask=mask), given, case.differentiable)

    spoilt = dict(inputs)
    for name, t in inputs.items():
        seen = spread(case, inputs, name, observed)
        if seen is not None:
            odd = torch.nan if t.is_floating_point() else 77
            spoilt[name] = t.detach().masked_fill(~seen, odd).requires_grad_(t.requires_grad)
    assert any(not t.isfinite().all() for t in spoilt.values() if isinstance(t, Tensor))
    values, grads = run(inputs)
    odd_values, odd_grads = run(spoilt)
    assert_close(odd_values, values, rtol=0, atol=0)
    assert_close(odd_grads, grads, rtol=0, atol=0)
    assert all(g.isfinite().all() for g in odd_grads.values())


def test_a_row_without_anything_observed_counts_nothing(case: OpCase) -> None:
    inputs, observed = masked_inputs(case, torch.float32)
    observed[1] = False
    mask = as_mask(case, observed)
    if "elbo_loss" in case.native:
        case(inputs, mask=mask).sum().backward()  # type: ignore[union-attr]
        assert all(inputs[n].grad.isfinite().all() for n in case.differentiable)
        return
    (value,), grads = differentiate(lambda i: case(i, mask=mask), inputs, case.differentiable)
    assert value[1] == 0 and (value[observed.any(1)] != 0).all()
    for name, g in grads.items():
        if g.shape[:1] == (BATCH,):
            assert (g[1] == 0).all(), name


def test_masks_broadcast(case: OpCase) -> None:
    """Columns of no row, whole rows, and everything."""
    inputs, observed = masked_inputs(case)
    how = no_reduction(case)
    (plain,) = outputs(case(inputs, **how))
    for mask in (observed[:1], observed[:, :1], observed[0, 0] | True):
        full = as_mask(case, mask.expand(BATCH, EVENT))
        given = as_mask(case, mask) if mask.ndim else mask
        (few,), (all_,) = (outputs(case(inputs, mask=m, **how)) for m in (given, full))
        assert_close(few, all_, rtol=0, atol=0)
        if bool(mask.all()):
            assert_close(few, plain)


def test_a_mask_under_compile_and_vmap(case: OpCase) -> None:
    inputs, observed = masked_inputs(case)
    mask = as_mask(case, observed)

    def loss(given: Inputs, mask: Tensor) -> Tensor:
        (value,) = outputs(case({**inputs, **given}, mask=mask))
        return value.square().sum()

    learned = {name: inputs[name].detach() for name in case.learned}
    expected = loss(learned, mask)
    slopes = grad(loss)(learned, mask)
    leaves = {name: t.clone().requires_grad_() for name, t in learned.items()}
    with fresh():
        compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")(leaves, mask)
        assert_close(compiled, expected)
        compiled.backward()
    assert_close({name: t.grad for name, t in leaves.items()}, slopes)
    masks = torch.stack([mask, ~mask, mask & mask.roll(1, 0)])
    assert_close(
        vmap(grad(loss), in_dims=(None, 0))(learned, masks),
        {name: torch.stack([grad(loss)(learned, m)[name] for m in masks]) for name in case.learned},
    )


WRONG: dict[str, Any] = {
    "numbers": (TypeError, lambda m: m.float(), "mask must be a bool tensor.*got torch.float32"),
    "no tensor": (TypeError, lambda m: m.tolist(), "mask must be a bool tensor.*got list"),
    "columns": (ValueError, lambda m: m[..., :-1], r"mask must broadcast to the shape \[5, .*got"),
    "rows": (ValueError, lambda m: m[:3], r"mask must broadcast to the shape \[5, .*got \[3, "),
    "dimensions": (ValueError, lambda m: m[None].expand(2, *m.shape), "mask must broadcast to the"),
    "device": (ValueError, lambda m: m.to("meta"), "mask must be on cpu as x is, got meta"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_mask_of_another_kind_is_named(case: OpCase, how: str) -> None:
    inputs, observed = masked_inputs(case)
    kind, change, said = WRONG[how]
    with pytest.raises(kind, match=said):
        case(inputs, mask=change(as_mask(case, observed)))
