"""Priors on weights, for maximum a posteriori estimates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["WEIGHT_PRIORS", "weight_energy"]

WEIGHT_PRIORS = ("normal", "laplace")


def weight_energy(parameters: Sequence[nn.Parameter], prior: str, scale: float) -> Tensor:
    r"""-log p(theta) in nats, up to a constant: the L2 or L1 penalty of a prior on weights.

    .. math:: \sum \theta^2 / 2 s^2 \ (\text{normal}) \quad\text{or}\quad
              \sum |\theta| / s \ (\text{laplace})

    Args:
        parameters: theta
        prior: "normal" or "laplace"
        scale: s, the standard deviation of the normal prior, or the Laplace prior's scale

    >>> weight_energy([nn.Parameter(torch.tensor([2.0, 0.0]))], "normal", 0.5).item()
    8.0
    """
    if prior == "normal":
        return torch.stack([p.square().sum() for p in parameters]).sum() / (2 * scale**2)
    return torch.stack([p.abs().sum() for p in parameters]).sum() / scale
