"""Optimizers by name, one for each phase of an objective."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn, optim

from pyvae.errors import UserError
from pyvae.training.distributed.sharding import is_shared

__all__ = ["FUSED", "OPTIMIZERS", "build_optimizer"]

OPTIMIZERS: dict[str, type[optim.Optimizer]] = {
    "adagrad": optim.Adagrad,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "sgd": optim.SGD,
}
FUSED = {  # where torch has a form that updates all parameters in one pass
    "adagrad": {"cpu"},
    "adam": {"cpu", "cuda"},
    "adamw": {"cpu", "cuda"},
    "sgd": {"cpu", "cuda"},
}

FUSED_SHARES = {"adam", "adamw"}  # those that know of weights that are dealt out to processes


def build_optimizer(
    name: str, parameters: Iterable[nn.Parameter], lr: float, options: Mapping[str, Any]
) -> optim.Optimizer:
    """An optimizer of ``torch.optim`` by its name in lower case.

    Its fused form, one pass over the parameters, where torch has one and no option says otherwise.

    Raises:
        UserError: no such optimizer, no such option, or a value that it refuses.
    """
    if name not in OPTIMIZERS:
        raise UserError(f"unknown optimizer {name!r}. Choices: {', '.join(OPTIMIZERS)}")
    accepted = [*inspect.signature(OPTIMIZERS[name]).parameters][2:]
    for option in options:
        if option not in accepted:
            raise UserError(
                f"optimizer {name!r} has no option {option!r}. Choices: {', '.join(accepted)}"
            )
    parameters = list(parameters)
    if name in FUSED and not {"fused", "foreach", "differentiable"} & set(options):
        fits = {p.device.type for p in parameters} <= FUSED[name]
        if any(map(is_shared, parameters)):
            fits = fits and name in FUSED_SHARES
        options = {**options, "fused": True if fits else None}
    try:
        return OPTIMIZERS[name](parameters, lr=lr, **options)  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer {name!r}: {error}") from error
