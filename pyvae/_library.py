"""Gives the ops of the native library what only Python can say.

For each op that is its specification (``reference``), which also serves derivatives beyond the
kernels' own and devices without a kernel, and its rule under ``torch.vmap``. Which ops there are,
the library knows.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from . import _native, _vmap, reference


def _vjp(
    specification: Callable[..., Any], results: int
) -> Callable[..., tuple[Tensor | None, ...]]:
    """The gradient of the specification, for devices without a kernel."""

    def backward(*arguments: Any) -> tuple[Tensor | None, ...]:
        grads, inputs, mask = arguments[:results], list(arguments[results:-1]), arguments[-1]
        optional = (i for i, a in enumerate(inputs) if a is None or isinstance(a, Tensor))
        places = list(itertools.islice(optional, len(mask)))
        wanted = [i for i, m in zip(places, mask, strict=True) if m]
        with torch.enable_grad():
            for i in wanted:
                inputs[i] = inputs[i].detach().requires_grad_()
            out = specification(*inputs)
            outs = out if isinstance(out, tuple) else (out,)
            pairs = [(o, g) for o, g in zip(outs, grads, strict=True) if g is not None]
            found = torch.autograd.grad(
                [o for o, _ in pairs],
                [inputs[i] for i in wanted],
                [g for _, g in pairs],
                materialize_grads=True,
                allow_unused=True,
            )
        by_place = dict(zip(wanted, found, strict=True))
        return tuple(by_place.get(i) for i in places)

    return backward


_warned: set[str] = set()


def _without_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run the specification where a device has no kernels, and say so once per device type."""

    def fallback(*arguments: Any) -> Any:
        tensors = [a for a in arguments if isinstance(a, Tensor)]
        devices = {t.device for t in tensors}
        if len(devices) > 1:
            raise ValueError(
                "pyvae: all tensors must be on one device, got "
                + ", ".join(sorted(map(str, devices)))
            )
        kind = tensors[0].device.type
        if kind not in _warned:
            _warned.add(kind)
            warnings.warn(
                f"pyvae has no {kind} kernels in this build: {kind} tensors run the plain PyTorch "
                "reference, with the same results but slower",
                stacklevel=2,
            )
        return function(*arguments)

    return fallback


_kept: list[torch.library.Library] = []  # what they register lasts as long as they do
#: What each op means, in plain PyTorch.
meanings: dict[torch._ops.OpOverload, Callable[..., Any]] = {}


def complete(namespace: str, specifications: Mapping[str, Callable[..., Any]]) -> None:
    """Give the ops of a namespace their specifications, by name, and their rules under vmap."""
    library = torch.library.Library(namespace, "IMPL")
    _kept.append(library)
    ops = getattr(torch.ops, namespace)
    for name, specification in specifications.items():
        meanings[getattr(ops, name).default] = specification
        results = len(getattr(ops, name).default._schema.returns)
        vjp = _vjp(specification, results)
        library.impl(f"{name}_reference", specification, "CompositeImplicitAutograd")
        library.impl(name, _without_kernel(specification), "CompositeExplicitAutograd")
        library.impl(f"{name}_backward", _without_kernel(vjp), "CompositeExplicitAutograd")
        if hasattr(ops, f"{name}_inplace"):
            meanings[getattr(ops, f"{name}_inplace").default] = specification
            library.impl(
                f"{name}_inplace", _without_kernel(specification), "CompositeExplicitAutograd"
            )
        _vmap.add_rules(namespace, name)


complete("pyvae", {name: getattr(reference, name) for name in _native.ops})
