"""An op equals its specification in float64, in every dtype and mixture of dtypes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pyvae.testing import Inputs, OpCase, differentiate, in_float64, outputs

__all__ = [
    "test_binary_data_are_numbers",
    "test_dtypes_of_the_results",
    "test_mixed_dtypes",
    "test_values_and_gradients_equal_the_specification",
]

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
# Numbers of elements around vectors and tails.
BLOCKS: list[tuple[int, ...]] = [(), (3, 64, 64), (2, 133, 131), (1, 1, 1)]

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d).split(".")[1])


def agree(
    case: OpCase, actual: Tensor, expected: Tensor, what: str, precision: torch.dtype | None = None
) -> None:
    """To the precision of the dtype that ``actual`` is kept in."""
    rtol, atol = case.tolerance[precision or actual.dtype]
    scale = max(4.0, expected.abs().max().item()) if expected.numel() else 1.0
    assert actual.shape == expected.shape, what
    assert_close(
        actual.double(), expected, rtol=rtol, atol=atol * scale, msg=lambda m: f"{what}: {m}"
    )


def check(case: OpCase, inputs: Inputs, precision: torch.dtype | None = None) -> None:
    """Values and gradients against the specification in float64, and the dtypes of both."""
    wanted, exact = case.differentiable, in_float64(inputs)
    values, grads = differentiate(case, inputs, wanted)
    true_values, true_grads = differentiate(case.specification, exact, wanted)
    for k, (value, truth) in enumerate(zip(values, true_values, strict=True)):
        agree(case, value, truth, f"{case.name} result {k}", precision)
    for name in wanted:
        assert grads[name].dtype == inputs[name].dtype, name
        coarse = precision if inputs[name].dtype == torch.float64 else None
        agree(case, grads[name], true_grads[name], f"{case.name} grad {name}", coarse)


@every_dtype
def test_values_and_gradients_equal_the_specification(case: OpCase, dtype: torch.dtype) -> None:
    for instance, sizes in enumerate(BLOCKS):
        sizes = sizes[: len(case.sizes)]
        check(
            case,
            case.inputs(*sizes, dtype=dtype, requires_grad=case.differentiable, instance=instance),
        )


@pytest.mark.parametrize("turn", range(4))
def test_mixed_dtypes(case: OpCase, turn: int) -> None:
    inputs = case.inputs()
    floats = [name for name, t in inputs.items() if torch.is_tensor(t) and t.is_floating_point()]
    for i, name in enumerate(floats):
        dtype = DTYPES[(i + turn) % 4]
        inputs[name] = inputs[name].detach().to(dtype).requires_grad_(name in case.differentiable)
    # A loss of two terms computes each in the precision of its own operands.
    check(case, inputs, torch.float32 if "elbo" in case.native else None)


@every_dtype
def test_dtypes_of_the_results(case: OpCase, dtype: torch.dtype) -> None:
    inputs = case.inputs(dtype=dtype)
    for result in outputs(case(inputs)):
        is_sample = "seed" in inputs and result.shape[-1:] == case.small[-1:]
        assert result.dtype == (dtype if is_sample else torch.promote_types(dtype, torch.float32))


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8])
def test_binary_data_are_numbers(
    case: OpCase, kind: torch.dtype, request: pytest.FixtureRequest
) -> None:
    if "x" not in case.differentiable or case.levels or case.images:
        pytest.skip("the data are no real numbers")
    learned = case.inputs(requires_grad=case.learned)
    bits = learned["x"] > 0.5
    whole = differentiate(case, {**learned, "x": bits.float()}, case.learned)
    small = differentiate(case, {**learned, "x": bits.to(kind)}, case.learned)
    # CUDA kernels make the gradients in the forward here and in the backward there: the incoming
    # gradient is multiplied in before or after a rounding.
    exact = not request.config.pluginmanager.hasplugin("executor_plugin")
    assert_close(small, whole, rtol=0 if exact else 1e-6, atol=0 if exact else 1e-7)
