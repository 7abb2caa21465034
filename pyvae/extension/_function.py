"""The function that a user calls, made of an op and its reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from pyvae.functional import observed
from pyvae.functional._arguments import allowed, draw_seed, number

__all__ = ["density_function"]


def density_function(
    namespace: str, name: str, reference: Callable[..., Any]
) -> Callable[..., Any]:
    """An op with keywords, numbers as operands, and the documentation of its reference."""
    ops = getattr(torch.ops, namespace)
    op = getattr(ops, name).default
    names = [argument.name for argument in op._schema.arguments]
    make: Callable[..., Any] = _sample if "seed" in names else _log_prob
    operands = names[: names.index("seed" if "seed" in names else "batch_ndim")]
    function: Any = make(ops, name, operands)
    function.__name__ = function.__qualname__ = name
    function.__module__ = reference.__module__
    function.__doc__ = reference.__doc__
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    given = [inspect.Parameter(operand, kind) for operand in operands]
    options = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    function.__signature__ = inspect.Signature([*given, *options])
    return function  # type: ignore[no-any-return]


def _operands(
    name: str, names: Sequence[str], args: Sequence[Any], keywords: dict[str, Any]
) -> list[Tensor]:
    """The operands by place or name, numbers as tensors."""
    given = dict(zip(names, args, strict=False))
    twice = [key for key in keywords if key in given]
    unknown = [key for key in keywords if key not in names]
    missing = [key for key in names if key not in given and key not in keywords]
    if twice or unknown or missing or len(args) > len(names):
        raise TypeError(f"{name} takes {', '.join(names)}, once each, by place or by name")
    given |= keywords
    tensors = [t for t in given.values() if isinstance(t, Tensor)]
    if not tensors:
        raise TypeError(f"{name}: one operand at least must be a tensor")
    like = next((t for t in tensors if t.is_floating_point()), tensors[0])
    return [number(given[key], like) for key in names]


def _log_prob(ops: Any, name: str, names: Sequence[str]) -> Callable[..., Tensor]:
    plain = getattr(ops, name).default
    overwriting = (
        getattr(ops, f"{name}_inplace").default if hasattr(ops, f"{name}_inplace") else plain
    )

    def log_prob(
        *args: Tensor | float,
        mask: Tensor | None = None,
        batch_ndim: int = 1,
        inplace: bool = False,
        **keywords: Any,
    ) -> Tensor:
        op = overwriting if allowed(inplace) else plain
        operands = _operands(name, names, args, keywords)
        return observed.log_prob(op, *operands, batch_ndim=batch_ndim, mask=mask, name=name)

    return log_prob


def _sample(ops: Any, name: str, names: Sequence[str]) -> Callable[..., Any]:
    op = getattr(ops, name).default
    has_value = any(argument.name == "batch_ndim" for argument in op._schema.arguments)

    def sample(
        *args: Tensor | float,
        sample_shape: Sequence[int] = (),
        batch_ndim: int = 1,
        generator: Generator | None = None,
        seed: Tensor | None = None,
        **keywords: Any,
    ) -> Any:
        operands = _operands(name, names, args, keywords)
        noise = draw_seed(name, operands[0], generator, seed)
        shape = (*sample_shape, *torch.broadcast_shapes(*(t.shape for t in operands)))
        kept = [batch_ndim + len(sample_shape)] if has_value else []
        return op(*operands, noise, shape, *kept)

    return sample
