"""Training data of which few rows say their class."""

from __future__ import annotations

from dataclasses import replace

import torch

from pyvae.data.base import DataSplits
from pyvae.errors import DataError
from pyvae.hints import conform

__all__ = ["few_labels"]


def few_labels(data: DataSplits, per_class: int, seed: int = 0, share: float = 0.5) -> DataSplits:
    """The data set with the labels of a few training rows; the others have -1, which means none.

    The labelled rows are repeated until they are a share of the training rows, so that minibatches
    hold both kinds: Kingma, Mohamed, Rezende & Welling 2014 draw half of each batch from either.
    The extra "weight" (N,), which the objective ``semi_supervised`` heeds, says what a row counts
    in the bounds of p(x): one for each image in all. Other objectives want ``share=0``.

    Args:
        data: with labels
        per_class: how many rows of each class keep their label
        seed: which ones
        share: of the labelled among the training rows; 0: none is repeated

    Raises:
        DataError: no labels, a class with fewer rows, or a number out of range.

    >>> from pyvae.data import load
    >>> digits = few_labels(load("digits"), per_class=5, share=0)
    >>> int((digits.train.y >= 0).sum())
    50
    """
    y = data.train.y
    if y is None:
        raise DataError(f"{data.name} has no labels of which labels_per_class could keep a few")
    for name, value, kind in (
        ("labels_per_class", per_class, int),
        ("labels_seed", seed, int),
        ("labelled_share", share, float),
    ):
        try:
            conform(value, kind)
        except TypeError as error:
            raise DataError(f"{name} {error}") from error
    if per_class < 1 or not 0 <= share < 1:
        raise DataError(
            f"labels_per_class must be at least 1 and labelled_share from 0 to below 1, got "
            f"{per_class} and {share}"
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(y), generator=generator)
    chosen = []
    for label in y[y >= 0].unique().tolist():
        rows = order[y[order] == label][:per_class]
        if len(rows) < per_class:
            raise DataError(
                f"{data.name}: labels_per_class={per_class}, but class {label} has {len(rows)} "
                f"training rows"
            )
        chosen.append(rows)
    kept = torch.cat(chosen)
    hidden = torch.full_like(y, -1)
    hidden[kept] = y[kept]
    train = replace(data.train, y=hidden)
    times = round(share / (1 - share) * (len(y) - len(kept)) / len(kept)) - 1
    if times > 0:
        weight = torch.ones(len(y))
        weight[kept] = 1 / (times + 1)
        train = replace(train, extras={**train.extras, "weight": weight})
        train = train.part(torch.cat([torch.arange(len(y)), kept.repeat(times)]))
    return replace(data, train=train)
