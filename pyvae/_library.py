"""Loads the native library and gives its ops what only Python can say.

For each op that is its specification (``reference``), which also serves derivatives beyond the
kernels' own and devices without a kernel, and its rule under ``torch.vmap``.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import reference
from ._build_check import check_build

OPS = (
    "gaussian_rsample",
    "gaussian_kl",
    "gaussian_rsample_kl",
    "rank1_gaussian_rsample_kl",
    "gaussian_rsample_log_ratio",
    "gaussian_log_prob",
    "bernoulli_log_prob",
    "continuous_bernoulli_log_prob",
    "laplace_log_prob",
    "discretized_logistic_log_prob",
    "poisson_log_prob",
    "negative_binomial_log_prob",
    "zero_inflated_negative_binomial_log_prob",
    "discretized_logistic_mixture_log_prob",
    "categorical_log_prob",
    "bernoulli_elbo_loss",
    "gaussian_elbo_loss",
    "gaussian_mixture_log_prob",
    "mmd",
)

# These also come as permissions to overwrite their second argument with its gradient.
INPLACE = (
    "gaussian_log_prob",
    "bernoulli_log_prob",
    "categorical_log_prob",
    "bernoulli_elbo_loss",
    "gaussian_elbo_loss",
)


def _load() -> None:
    try:
        from . import _build
    except ImportError as error:
        raise ImportError(
            "pyvae's native library is not built: install the package (`pip install .` in its "
            "source folder) instead of importing the source tree."
        ) from error
    check_build(_build.torch_version, torch.__version__)
    from . import _C  # noqa: F401


def _vjp(name: str, results: int) -> Callable[..., tuple[Tensor | None, ...]]:
    """The gradient of the specification, for devices without a kernel."""

    def backward(*arguments: Any) -> tuple[Tensor | None, ...]:
        grads, inputs, mask = arguments[:results], list(arguments[results:-1]), arguments[-1]
        optional = (i for i, a in enumerate(inputs) if a is None or isinstance(a, Tensor))
        places = list(itertools.islice(optional, len(mask)))
        wanted = [i for i, m in zip(places, mask, strict=True) if m]
        with torch.enable_grad():
            for i in wanted:
                inputs[i] = inputs[i].detach().requires_grad_()
            out = getattr(reference, name)(*inputs)
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


_load()
_implementations = torch.library.Library("pyvae", "IMPL")
for _name in OPS:
    _function = getattr(reference, _name)
    _results = len(getattr(torch.ops.pyvae, _name).default._schema.returns)
    _implementations.impl(f"{_name}_reference", _function, "CompositeImplicitAutograd")
    _implementations.impl(_name, _without_kernel(_function), "CompositeExplicitAutograd")
    _implementations.impl(
        f"{_name}_backward", _without_kernel(_vjp(_name, _results)), "CompositeExplicitAutograd"
    )
for _name in INPLACE:
    _implementations.impl(
        f"{_name}_inplace",
        _without_kernel(getattr(reference, _name)),
        "CompositeExplicitAutograd",
    )

from . import _vmap  # noqa: E402, F401  (the rules name ops that exist from here on)
