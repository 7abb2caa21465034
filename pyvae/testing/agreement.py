"""Whether what one device computed is what another says."""

from __future__ import annotations

from torch import Tensor

from .case import TOLERANCE

__all__ = ["disagreement"]

#: Of so many numbers one may lie on the other side of a cliff, such as a level of a pixel.
ONE_OF = 200_000


def disagreement(actual: Tensor, expected: Tensor, slack: float = 4) -> str | None:
    """How ``actual`` differs from ``expected`` beyond the precision of its dtype, or None.

    Args:
        actual: on any device
        expected: of the same shape, in float64 as a rule
        slack: how many times the tolerance of :data:`TOLERANCE` is granted

    Example:
        >>> import torch
        >>> truth = torch.ones(3, dtype=torch.float64)
        >>> disagreement(torch.ones(3), truth)
        >>> disagreement(torch.tensor([1.0, 1.0, 1.5]), truth)
        '1 of 3 differ, by up to 0.5'
        >>> disagreement(torch.ones(2), truth)
        'is of shape (2,), not (3,)'
    """
    if actual.shape != expected.shape:
        return f"is of shape {tuple(actual.shape)}, not {tuple(expected.shape)}"
    if not expected.numel():
        return None
    rtol, atol = (slack * t for t in TOLERANCE[actual.dtype])
    found, wanted = actual.detach().cpu().double(), expected.detach().cpu().double()
    off = (found - wanted).abs()
    far = off > rtol * wanted.abs() + atol * max(4.0, wanted.abs().max().item())
    wrong = int((far | (found.isnan() != wanted.isnan())).sum())
    if wrong <= wanted.numel() // ONE_OF:
        return None
    return f"{wrong} of {wanted.numel()} differ, by up to {off.nan_to_num(float('inf')).max():.3g}"
