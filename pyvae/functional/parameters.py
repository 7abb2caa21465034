"""Probabilities and scales as the logits and log-variances that the ops take."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["one_of", "probs_to_logits", "scale_to_logvar"]

LIMIT = 100.0  # what binary_cross_entropy of torch takes for the logarithm of 0


def probs_to_logits(probs: Tensor) -> Tensor:
    """log p - log(1 - p), the logits of probabilities p; finite for 0 and 1, too.

    For decoders that end in a sigmoid: densities of these logits equal
    ``torch.nn.functional.binary_cross_entropy``. As there, an exact 0 or 1, which a sigmoid rounds
    to, counts as logits of -100 or 100, where the slope is 200 in the place of 1 / (p (1 - p)).
    Slopes of densities in p are x - p, to rounding, times that of the logit; through the sigmoid
    they are exact. A decoder without it gives exact logits, and saves most of the time of this.

    Args:
        probs: any shape; outside [0, 1] they give NaN.

    Returns:
        The same shape; float32 at least, since 16-bit probabilities near 1 are too coarse.

    Raises:
        TypeError: ``probs`` is not a floating-point tensor.

    Example:
        >>> probs_to_logits(torch.tensor([0.0, 0.5, 0.9, 1.0]))
        tensor([-100.0000,    0.0000,    2.1972,  100.0000])
    """
    if not isinstance(probs, Tensor) or not probs.is_floating_point():
        got = probs.dtype if isinstance(probs, Tensor) else type(probs).__name__
        raise TypeError(f"probs_to_logits: probs must be a floating-point tensor, got {got}")
    p = probs.to(torch.promote_types(probs.dtype, torch.float32))
    inside = torch.where((p == 0) | (p == 1), 0.5, p)  # the logit of the others is infinite
    return torch.logit(inside) + 2 * LIMIT * (p - inside)


def scale_to_logvar(scale: Tensor | float) -> Tensor | float:
    """2 log s, the log-variance of a standard deviation s.

    For networks that end in a softplus, and code around ``torch.distributions.Normal``.

    Args:
        scale: positive; a number or a tensor of any shape.

    Returns:
        The same shape, float32 at least; a number for a number.

    Raises:
        TypeError: ``scale`` is neither a number nor a floating-point tensor.
        ValueError: a number that is not positive.

    Example:
        >>> scale_to_logvar(torch.tensor([0.5, 1.0, 2.0]))
        tensor([-1.3863,  0.0000,  1.3863])
        >>> scale_to_logvar(1.0)
        0.0
    """
    if isinstance(scale, Tensor):
        if not scale.is_floating_point():
            raise TypeError(
                f"scale_to_logvar: scale must be a number or a floating-point tensor, "
                f"got {scale.dtype}"
            )
        return 2 * scale.to(torch.promote_types(scale.dtype, torch.float32)).log()
    if not isinstance(scale, (int, float)):
        raise TypeError(
            f"scale_to_logvar: scale must be a number or a floating-point tensor, "
            f"got {type(scale).__name__}"
        )
    if not scale > 0:
        raise ValueError(f"scale_to_logvar: scale must be positive, got {scale}")
    return 2 * math.log(scale)


def one_of(op: str, **given: object) -> None:
    """Raises: TypeError: not exactly one of the two ways to give a parameter was taken."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise TypeError(
            f"{op}: expected one of {' and '.join(given)}, got {' and '.join(names) or 'none'}"
        )
