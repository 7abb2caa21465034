"""Whether a likelihood can explain a data set, and which ones can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch

from pyvae import registry
from pyvae.data import DataSplits, view
from pyvae.data.binarize import Binarize
from pyvae.errors import UserError
from pyvae.likelihoods import Likelihood

__all__ = ["check_fit", "fitting_likelihoods", "of_columns"]

ROWS = 64  # data of each split that are looked at


def check_fit(
    data: DataSplits, name: str, options: Mapping[str, Any], binarize: str = "auto"
) -> None:
    """Try a likelihood on a few data.

    Raises:
        UserError: it does not fit; the message says what does.
        TypeError: an option that it does not know.
    """
    try:
        _attempt(data, name, options, binarize)
    except ValueError as error:
        fitting = fitting_likelihoods(data)
        if name in fitting:  # not the likelihood but one of its options is wrong
            raise
        raise UserError(
            f"{error}. Likelihoods that fit {data.name}: {', '.join(fitting)}"
        ) from error


def fitting_likelihoods(data: DataSplits) -> list[str]:
    """The names of the likelihoods that take the data, each with its default options."""
    names = []
    for name in registry.likelihoods.names():
        try:
            _attempt(data, name, {}, "auto")
        except Exception:  # whatever a foreign part may raise
            continue
        names.append(name)
    return names


def of_columns(name: str, data: DataSplits) -> dict[str, Any]:
    """The options of a likelihood that the columns of a data set settle."""
    part = registry.likelihoods.get(name)
    if isinstance(part, type) and issubclass(part, Likelihood):
        return part.for_columns(data.columns)
    return {}


def _attempt(data: DataSplits, name: str, options: Mapping[str, Any], binarize: str) -> None:
    options = {**of_columns(name, data), **options}
    likelihood = registry.likelihoods.create(name, data_shape=data.data_shape, **options)
    few = data.map(lambda split: split[:ROWS])
    missing = [side for side in likelihood.side_inputs if side not in few.train.extras]
    if missing:
        raise ValueError(
            f"the likelihood {name} needs {', '.join(missing)} with the data, which {data.name} "
            f"does not have"
        )
    shown = view(
        few,
        likelihood.data_range,
        cast(Binarize, binarize),
        binary=likelihood.binary,
        seed=0,
    )
    x = shown.train_values(shown.data.train.x, torch.Generator().manual_seed(0))
    likelihood.check(x, *shown.data.train.side(["mask"]).values())
