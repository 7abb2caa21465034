"""Which latents a random forest looks at for which factor: DCI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from pyvae.errors import optional
from pyvae.metrics.factors.common import Array, checked, halves, quality

__all__ = ["dci"]


def dci(
    codes: Tensor, factors: Tensor, categorical: Sequence[int] = (), seed: int = 0
) -> tuple[float, float, float]:
    r"""Disentanglement, completeness and informativeness (Eastwood & Williams 2018, section 2).

    R_df is the importance of latent d to a random forest that predicts factor f. A latent is
    disentangled if one factor takes most of its importance, a factor complete if one latent has
    most of it:

    .. math:: D_d = 1 - H_F(R_{df} / \sum_f R_{df}), \qquad C_f = 1 - H_D(R_{df} / \sum_d R_{df})

    with entropies to the base of the number of factors or latents; D is the mean of the D_d,
    weighted by the importance of d. Informativeness is how well the forests predict rows they have
    not seen: R^2, or balanced accuracy rescaled so that chance is 0.

    Args:
        codes: (N, D)
        factors: whole numbers (N, F)
        categorical: the columns of factors whose values have no order
        seed: of the forests

    Returns:
        Disentanglement, completeness, informativeness.

    Raises:
        ValueError: shapes that do not belong together, or fewer than 100 rows.
    """
    z, v = checked(codes, factors)
    ensemble: Any = optional("sklearn.ensemble")
    fit, held = halves(len(z), seed)
    importance, predicted = np.zeros((z.shape[1], v.shape[1])), []
    for f in range(v.shape[1]):
        labelled = f in categorical
        kind = ensemble.RandomForestClassifier if labelled else ensemble.RandomForestRegressor
        # all latents at each split, or an unrelated one would be split on for want of another
        forest = kind(n_estimators=10, max_features=None, random_state=seed, min_samples_leaf=2)
        forest.fit(z[fit], v[fit, f])
        importance[:, f] = forest.feature_importances_
        predicted.append(quality(v[held, f], forest.predict(z[held]), labelled))
    each, whole = _one_minus_entropy(importance), importance.sum(1) / max(importance.sum(), 1e-12)
    complete = _one_minus_entropy(importance.T)
    return float((each * whole).sum()), float(complete.mean()), float(np.mean(predicted))


def _one_minus_entropy(rows: Array) -> Array:
    """1 - H(p) to the base of the number of columns, for each row of p in proportion to it."""
    if rows.shape[1] == 1:
        return np.ones(len(rows))
    p = rows / np.maximum(rows.sum(1, keepdims=True), 1e-12)
    entropy = -(p * np.log(np.maximum(p, 1e-12))).sum(1) / np.log(rows.shape[1])
    left: Array = np.where(rows.sum(1) > 0, 1 - entropy, 0.0)
    return left
