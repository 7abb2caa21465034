"""What the scores share: arrays that are checked, halves of the rows, how good a prediction is."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from pyvae.errors import optional

__all__ = ["Array", "checked", "gaps", "halves", "quality"]

Array = np.ndarray[Any, np.dtype[Any]]


def checked(codes: Tensor, factors: Tensor) -> tuple[Array, Array]:
    """Codes (N, D) and factors (N, F) as arrays.

    Raises:
        ValueError: shapes that do not belong together, fewer than 100 rows, codes that are not
            finite, or a factor with one value alone.
    """
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(
            f"disentanglement: codes (N, D) and factors (N, F) must have the same number of rows, "
            f"got {tuple(codes.shape)} and {tuple(factors.shape)}"
        )
    if len(codes) < 100:
        raise ValueError(f"disentanglement: there must be 100 rows or more, got {len(codes)}")
    z, v = codes.detach().cpu().double().numpy(), factors.cpu().numpy()
    if not np.isfinite(z).all():
        raise ValueError("disentanglement: the codes must be finite numbers")
    still = np.flatnonzero((v == v[:1]).all(0))
    if len(still):
        raise ValueError(
            f"disentanglement: every factor must vary, but factor {still[0]} has one value alone"
        )
    return z, v


def halves(rows: int, seed: int) -> tuple[Array, Array]:
    order = np.random.default_rng(seed).permutation(rows)
    return order[: rows // 2], order[rows // 2 :]


def quality(truth: Array, predicted: Array, labelled: bool) -> float:
    """1 for a perfect prediction, 0 for one by chance or worse."""
    metrics: Any = optional("sklearn.metrics")
    if labelled:
        score = metrics.balanced_accuracy_score(truth, predicted, adjusted=True)
    else:
        score = metrics.r2_score(truth, predicted)
    return max(0.0, float(score))


def gaps(scores: Array) -> Array:
    """The difference of the two largest of each row (F, D); a single one has nothing beside it."""
    ordered = np.sort(np.concatenate([np.zeros((len(scores), 1)), scores], 1), 1)
    gaps: Array = ordered[:, -1] - ordered[:, -2]
    return gaps
