"""What the ops share: the library, seeds, numbers as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from pyvae import _library as _library  # loads the ops

ops = torch.ops.pyvae


def draw_seed(op: str, like: Tensor, generator: Generator | None, seed: Tensor | None) -> Tensor:
    if seed is not None:
        if generator is not None:
            raise ValueError(f"{op}: pass generator or seed, not both")
        if not isinstance(seed, Tensor):
            raise TypeError(f"{op}: seed must be an int64 tensor, got {type(seed).__name__}")
        return seed
    if generator is not None and torch.compiler.is_compiling():
        raise RuntimeError(
            f"{op}: torch.compile cannot trace an explicit generator; draw a seed from it outside "
            "(torch.randint(2**62, (), generator=generator)) and pass it as seed="
        )
    source: dict[str, Any] = (
        {} if generator is None else {"generator": generator}
    )  # exporters know none
    drawn: Tensor = torch.randint(-(2**63), 2**63 - 1, (), device=like.device, **source)
    return drawn


def repeated(mean: Tensor, sample_shape: Sequence[int]) -> tuple[Tensor, tuple[int, ...] | None]:
    """The mean, and the shape of a sample where it is not that of the parameters.

    torch.jit.trace takes no shape as an argument of an op, and would fix the batch with it.
    """
    if not sample_shape:
        return mean, None
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return mean.expand(*sample_shape, *mean.shape), None
    return mean, (*sample_shape, *mean.shape)


def number(value: Tensor | float, like: Tensor) -> Tensor:
    """A number as a tensor the kernels take, in no less than their precision."""
    if isinstance(value, Tensor):
        return value
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    if torch.compiler.is_compiling():  # a full() would compile again for each value
        return torch.ones((), dtype=dtype, device=like.device) * value
    return torch.full((), value, dtype=dtype, device=like.device)


def numbers(values: Sequence[float], like: Tensor) -> Tensor:
    """Numbers as one tensor, likewise."""
    # A list copied to a device makes the host wait for it, and no CUDA graph may hold that.
    if torch.compiler.is_compiling() or like.device.type != "cpu":
        return torch.stack([number(value, like) for value in values])
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    return torch.tensor(tuple(values), dtype=dtype, device=like.device)


def allowed(inplace: bool) -> bool:
    """torch.compile plans memory itself and would have to undo an overwritten argument."""
    return inplace and not torch.compiler.is_compiling()
