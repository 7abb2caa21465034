"""How well classes are told from the codes when few labels are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from pyvae.errors import optional

__all__ = ["FewLabels", "few_labels"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class FewLabels:
    """Shares of the held-out data whose class is told rightly, over several draws of labels.

    Args:
        per_class: labels per class that the classifiers were given
        draws: how many sets of labels were drawn
        linear: mean accuracy of a linear classifier
        linear_std: its standard deviation over the draws
        neighbours: mean accuracy of the nearest neighbours
        neighbours_std: likewise
    """

    per_class: int
    draws: int
    linear: float
    linear_std: float
    neighbours: float
    neighbours_std: float


def few_labels(
    codes: Tensor,
    labels: Tensor,
    held_codes: Tensor,
    held_labels: Tensor,
    per_class: int = 10,
    draws: int = 3,
    seed: int = 0,
) -> FewLabels:
    """Classify held-out codes from ``per_class`` labelled ones of each class.

    A logistic regression and the vote of the nearest five neighbours (one, where a class has fewer
    than five labels), on codes whose latents have been scaled to the same variance.

    Args:
        codes, labels: of the training data, (N, D) and (N,)
        held_codes, held_labels: of the data to classify, (M, D) and (M,)
        per_class: labels of each class
        draws: how many times to draw which
        seed: of the draws

    Raises:
        ValueError: a class has fewer rows, or there is only one.
        MissingExtraError: scikit-learn is not installed.
    """
    neighbours, linear = optional("sklearn.neighbors"), optional("sklearn.linear_model")
    scaler = optional("sklearn.preprocessing").StandardScaler().fit(codes.cpu().numpy())
    z, held = scaler.transform(codes.cpu().numpy()), scaler.transform(held_codes.cpu().numpy())
    y, truth = labels.cpu().numpy(), held_labels.cpu().numpy()
    classes, sizes = np.unique(y, return_counts=True)
    if len(classes) < 2 or not 1 <= per_class <= sizes.min():
        raise ValueError(
            f"few_labels: there must be two classes or more with {per_class} rows each, got "
            f"{len(classes)} of which the smallest has {sizes.min() if len(sizes) else 0}"
        )
    generator, found = np.random.default_rng(seed), []
    for _ in range(draws):
        chosen = np.concatenate(
            [generator.choice(np.flatnonzero(y == c), per_class, replace=False) for c in classes]
        )
        nearest = 5 if per_class >= 5 else 1
        models: list[Any] = [
            linear.LogisticRegression(max_iter=1000),
            neighbours.KNeighborsClassifier(nearest),
        ]
        found.append([m.fit(z[chosen], y[chosen]).score(held, truth) for m in models])
    (a, b), (c, d) = np.mean(found, 0).tolist(), np.std(found, 0).tolist()
    return FewLabels(per_class, draws, linear=a, linear_std=c, neighbours=b, neighbours_std=d)
