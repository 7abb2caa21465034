"""The 8 x 8 digits that ship with scikit-learn: real, offline, small."""

from __future__ import annotations

import os

import torch

from pyvae.data.base import DataSplits, Split, shuffled
from pyvae.errors import optional
from pyvae.registry import datasets

__all__ = ["digits"]


@datasets.register("digits")
def digits(*, data_dir: str | os.PathLike[str] | None = None) -> DataSplits:
    """1797 digits of 8 x 8 pixels with levels 0 to 16, shuffled, split 1437 / 180 / 180.

    Source: Alpaydin and Kaynak, 1998, UCI repository, as ``sklearn.datasets.load_digits``.
    ``data_dir`` is ignored.
    """
    bunch = optional("sklearn.datasets").load_digits()
    x = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    y = torch.from_numpy(bunch.target).to(torch.int64)
    return DataSplits("digits", *shuffled(Split(x, y), (1437, 180, 180)), levels=16)
