"""The maximum mean discrepancy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from pyvae import functional as F

from ..case import OpCase

SCALES = (1.5, 3.0)


def _arguments(a: Mapping[str, Any]) -> tuple[Any, ...]:
    x = a["x"]
    scales = torch.tensor(a["scales"], dtype=torch.float64, device=x.device)
    return x, a["y"], scales, a["kernel"] == "imq", a.get("unbiased", False)


def _mmd(kernel: str, **options: bool) -> OpCase:
    return OpCase(
        name=f"mmd_{kernel}",
        function=F.mmd,
        native="mmd",
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {"x": (b + 1, d), "y": (b + 2, d)},
        options=lambda b, d: {"kernel": kernel, "scales": SCALES, **options},
        arguments=_arguments,
        differentiable=("x", "y"),
        learned=("y",),
        paired=True,
    )


ROWS = [_mmd("rbf"), _mmd("imq", unbiased=True)]
