"""Rows of a few columns, and elements that are rows of their own, which the loops take together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pyvae.testing import Inputs, OpCase, differentiate, in_float64, outputs

from ._sizes import full

__all__ = ["test_each_element_is_a_row", "test_rows_of_a_few_columns"]

BATCH = 300  # more than are taken at a time
FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "full": lambda t: t,
    "columns": lambda t: t[0],
    "per sample": lambda t: t[:, :1],
    "scalar": lambda t: t[0, 0],
    "every other": lambda t: t.repeat_interleave(2, 0)[::2],
    "half of a tensor": lambda t: torch.cat([t, t + 1], -1)[:, : t.shape[-1]],
}


def skip_unless_rows(case: OpCase) -> None:
    if len(case.sizes) != 2 or set(case.shapes(5, 7).values()) - {(5, 7), ()}:
        pytest.skip("the operands are no rows of columns")
    if "batch_ndim" not in [a.name for a in case.op.default._schema.arguments]:
        pytest.skip("no dimensions are summed by choice")
    if case.stops_gradient:
        pytest.skip("the gradients leave out a part on purpose")


def laid_out(case: OpCase, columns: int, form: str) -> Inputs:
    """Inputs of one form, whose learned operands are leaves."""
    inputs: dict[str, Any] = case.inputs(BATCH, columns)
    names = case.broadcasts if form in ("columns", "per sample", "scalar") else case.differentiable
    if not names:
        pytest.skip("no operand broadcasts")
    for name in names:
        inputs[name] = FORMS[form](full(case, inputs, name, (BATCH, columns)))
    for name in case.differentiable:
        inputs[name] = inputs[name].detach().requires_grad_()
    return inputs


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 9, 15, 16, 17])
def test_rows_of_a_few_columns(case: OpCase, columns: int, form: str) -> None:
    """They are those of the reference in float64, with each operand in each form."""
    skip_unless_rows(case)
    inputs = laid_out(case, columns, form)
    ours, grads = differentiate(case, inputs, case.differentiable)
    expected, right = differentiate(case.specification, in_float64(inputs), case.differentiable)
    rtol, atol = case.tolerance[torch.float32]
    if "seed" in inputs:  # the noise is rounded, too
        atol *= 10
    for mine, true in zip(ours, expected, strict=True):
        assert_close(mine.double(), true, rtol=rtol, atol=4 * atol)
    for name in grads:
        size = max(1.0, BATCH * columns / right[name].numel()) ** 0.5
        assert_close(grads[name].double(), right[name], rtol=10 * rtol, atol=8 * atol * size)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("columns", [1, 2, 17, 2000])
def test_each_element_is_a_row(case: OpCase, columns: int, form: str) -> None:
    """Where no dimension is summed, values add up to those of rows, and so do the gradients."""
    skip_unless_rows(case)
    if case.native.startswith("rank1"):
        pytest.skip("the covariance is one of the whole row")
    inputs = laid_out(case, columns, form)
    weights = torch.rand(BATCH, 1)

    def of_rows(given: Inputs) -> Tensor:
        *_, value = outputs(case(given))
        return value * weights[:, 0]

    def of_elements(given: Inputs) -> Tensor:
        *_, value = outputs(case(given, batch_ndim=2))
        assert value.shape == (BATCH, columns)
        return (value * weights).sum(-1)

    (rows,), by_row = differentiate(of_rows, inputs, case.differentiable)
    (elements,), by_element = differentiate(of_elements, inputs, case.differentiable)
    scale = rows.detach().abs().max().item()
    assert_close(elements, rows, rtol=2e-5, atol=1e-6 * max(scale, columns**0.5))
    for name, grad in by_row.items():
        size = max(1.0, BATCH * columns / grad.numel()) ** 0.5
        assert_close(by_element[name], grad, rtol=5e-5, atol=2e-5 * size)
