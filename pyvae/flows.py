"""Normalizing flows from zuko, an optional package. Imports nothing of the library."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

__all__ = ["Inverted", "ZukoBijection", "autoregressive_maps", "zuko"]


def zuko() -> Any:
    """The package, imported without its side effect of turning off torch's validation.

    Raises:
        ImportError: it is not installed.
    """
    validates = Distribution._validate_args
    try:
        return importlib.import_module("zuko")
    except ImportError as error:
        raise ImportError(
            f"flows need zuko, which could not be imported ({error}); "
            'pip install "pyvae-fused[train]"'
        ) from error
    finally:
        Distribution.set_default_validate_args(validates)


def autoregressive_maps(
    features: int,
    *,
    context: int = 0,
    transforms: int,
    hidden: Sequence[int],
    bins: int | None = None,
    coupling: bool = False,
) -> nn.ModuleList:
    """Masked autoregressive maps in alternating order: y_d is a function of x_d given x_<d.

    Fast from x to y; the way back takes a pass for each feature. Affine (Papamakarios et al. 2017)
    or, with ``bins``, monotone rational-quadratic splines on [-5, 5] (Durkan et al. 2019).

    Args:
        features: the number of variables
        context: the number of features on which the maps depend as well
        transforms: how many maps
        hidden: the width of each hidden layer of a map's network
        bins: of the splines; None: affine maps
        coupling: let one half of the variables move given the other, fast both ways
    """
    if transforms < 1:
        raise ValueError(f"flow: transforms must be at least 1, got {transforms}")
    package = zuko()
    kind: dict[str, Any] = {"hidden_features": list(hidden)}
    if bins is not None:
        if bins < 2:
            raise ValueError(f"flow: bins must be at least 2, got {bins}")
        spline = partial(package.transforms.MonotonicRQSTransform, slope=1e-3)
        kind |= {"univariate": spline, "shapes": [(bins,), (bins,), (bins - 1,)]}
    ascending = list(range(features))
    make = package.flows.autoregressive.MaskedAutoregressiveTransform
    return nn.ModuleList(
        make(
            features,
            context,
            passes=2 if coupling else None,
            order=ascending[::-1] if i % 2 else ascending,
            **kind,
        )
        for i in range(transforms)
    )


class ZukoBijection:
    """A transformation of zuko as the map of a flow."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and log |det dy/dx|."""
        if not x.numel():  # which zuko cannot take
            return x, x.new_zeros(x.shape[:-1])
        y, volume = self.transform.call_and_ladj(x)
        return y, volume

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """x and log |det dy/dx| there."""
        if not y.numel():
            return y, y.new_zeros(y.shape[:-1])
        x, volume = self.transform.inv.call_and_ladj(y)
        return x, -volume


class Inverted:
    """A map the other way round."""

    def __init__(self, bijection: ZukoBijection) -> None:
        self.bijection = bijection

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and log |det dy/dx|."""
        y, volume = self.bijection.inverse(x)
        return y, -volume

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """x and log |det dy/dx| there."""
        x, volume = self.bijection.forward(y)
        return x, -volume
