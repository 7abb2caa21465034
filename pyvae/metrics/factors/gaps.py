"""How far the best latent for a factor is ahead of the next: MIG and SAP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.errors import optional
from pyvae.metrics.factors.common import Array, checked, gaps, halves, quality

__all__ = ["entropies", "mig", "mutual_information", "sap"]

BINS = 20  # of a latent, for its mutual information


def mig(codes: Tensor, factors: Tensor) -> float:
    r"""The mutual information gap.

    .. math:: \frac1F \sum_f \frac{I(z_{d(f)}; v_f) - \max_{d \ne d(f)} I(z_d; v_f)}{H(v_f)},
        \qquad d(f) = \arg\max_d I(z_d; v_f)

    Chen et al. 2018, eq. 6, with the mutual information of posterior means in 20 bins of equal
    width (Locatello et al. 2019).

    Args:
        codes: (N, D)
        factors: whole numbers (N, F)

    Raises:
        ValueError: shapes that do not belong together, or fewer than 100 rows.
    """
    shared = mutual_information(codes, factors).numpy()
    return float((gaps(shared) / entropies(factors).numpy()).mean())


def entropies(factors: Tensor) -> Tensor:
    """H(v_f) in nats of each factor, from whole numbers (N, F): (F,)."""
    counts = [column.unique(return_counts=True)[1].double() for column in factors.cpu().T]
    shares = [count / count.sum() for count in counts]
    return torch.stack([-(share * share.log()).sum() for share in shares])


def mutual_information(codes: Tensor, factors: Tensor) -> Tensor:
    """I(z_d; v_f) in nats of each factor and each latent, in bins: (F, D). See :func:`mig`."""
    z, v = checked(codes, factors)
    information: Any = optional("sklearn.metrics").mutual_info_score
    bins = np.stack([np.digitize(column, _edges(column)) for column in z.T], 1)
    return torch.tensor([[information(f, d) for d in bins.T] for f in v.T], dtype=torch.float64)


def _edges(column: Array) -> Array:
    edges: Array = np.linspace(column.min(), column.max(), BINS + 1)[1:-1]
    return edges


def sap(codes: Tensor, factors: Tensor, categorical: Sequence[int] = (), seed: int = 0) -> float:
    """The separated attribute predictability: how much better than the next latent the best
    one alone predicts a factor, averaged over factors.

    Kumar, Sattigeri & Balakrishnan 2018, section 3: R^2 of a linear regression for a factor with
    an order, balanced accuracy of a linear classifier for one without, which here is rescaled so
    that chance is 0. Fitted on one half of the rows, scored on the other.

    Args:
        codes: (N, D)
        factors: whole numbers (N, F)
        categorical: the columns of factors whose values have no order
        seed: of the halves

    Raises:
        ValueError: shapes that do not belong together, or fewer than 100 rows.
    """
    z, v = checked(codes, factors)
    linear: Any = optional("sklearn.linear_model")
    fit, held = halves(len(z), seed)
    scores = np.zeros((v.shape[1], z.shape[1]))
    for f, d in np.ndindex(*scores.shape):
        labelled = f in categorical
        model = linear.LogisticRegression(C=1e4) if labelled else linear.LinearRegression()
        column = z[:, [d]] / max(z[fit, d].std(), 1e-12)
        model.fit(column[fit], v[fit, f])
        scores[f, d] = quality(v[held, f], model.predict(column[held]), labelled)
    return float(gaps(scores).mean())
