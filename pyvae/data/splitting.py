"""Which rows are for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.fields import Field
from pyvae.errors import DataError

__all__ = ["DEFAULT", "SPLITS", "check_fractions", "cut", "from_field", "split_called"]

SPLITS = ("train", "valid", "test")
DEFAULT = (0.8, 0.1, 0.1)

_CALLED = {
    **{name: "train" for name in ("train", "training")},
    **{name: "valid" for name in ("valid", "validation", "val", "dev")},
    **{name: "test" for name in ("test", "testing")},
}

Array = np.ndarray[Any, np.dtype[Any]]


def split_called(name: str) -> str | None:
    """The split that a file, a folder or a value in a column stands for.

    >>> split_called("Validation"), split_called("cats")
    ('valid', None)
    """
    return _CALLED.get(name.strip().lower())


def check_fractions(splits: Sequence[float], where: str) -> tuple[float, float, float]:
    """Fractions for training, validation and test.

    Raises:
        DataError: not three positive numbers whose sum is 1.
    """
    if len(splits) != 3 or min(splits) <= 0 or abs(sum(splits) - 1) > 1e-6:
        said = ",".join(f"{part:g}" for part in splits)
        raise DataError(
            f"{where}: splits must be three positive fractions whose sum is 1, such as "
            f"0.8,0.1,0.1, got {said}"
        )
    return (splits[0], splits[1], splits[2])


def cut(
    rows: int, fractions: tuple[float, float, float], where: str, given: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The rows of each split.

    Args:
        rows: how many rows there are
        fractions: the share of each split
        where: where the rows come from, for messages
        given: the rows of those splits that are already known, those for training among them;
            empty where nothing is known

    Returns:
        an index for each split: those given, and the others cut from the rows for training, by one
        shuffle that is always the same.

    Raises:
        DataError: too few rows.
    """
    pool = given.get("train")
    size = rows if pool is None else len(pool)
    missing = [name for name in SPLITS[1:] if name not in given]
    shares = dict(zip(SPLITS, fractions, strict=True))
    sizes = {name: int(shares[name] * size + 1e-9) for name in missing}
    if not size or not all(sizes.values()):
        least = max([1 / shares[name] for name in missing], default=1)
        raise DataError(
            f"{where} must have at least {int(np.ceil(least - 1e-9))} rows to be split, got {size}"
        )
    if pool is not None and not missing:
        return {name: given[name] for name in SPLITS}
    order = torch.randperm(size, generator=torch.Generator().manual_seed(0))
    order = order if pool is None else pool[order]
    parts = torch.split(order, [size - sum(sizes.values()), *sizes.values()])
    return {**given, **dict(zip(["train", *missing], parts, strict=True))}


def from_field(values: Field, where: str) -> dict[str, Tensor]:
    """The rows of each split that a column names.

    Raises:
        DataError: a value that is none of train, valid and test, or no row for training.
    """
    absent = values.absent
    texts = np.where(absent, "nothing", values.texts())
    known = {text: split_called(text) for text in set(texts)}
    bad = [text for text, name in known.items() if name is None]
    if bad:
        row = int(np.flatnonzero(np.isin(texts, bad))[0])
        raise DataError(
            f"{where} must hold train, valid or test in each row, got {texts[row]!r} in row {row}"
        )
    names = np.array([known[text] for text in texts])
    found = {name: torch.from_numpy(np.flatnonzero(names == name)) for name in SPLITS}
    found = {name: rows for name, rows in found.items() if len(rows)}
    if "train" not in found:
        raise DataError(f"{where} holds no row for training (train)")
    return found
