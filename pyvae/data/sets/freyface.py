"""Frey Face: 1965 frames of one face on video, 28 x 20."""

from __future__ import annotations

import os

import numpy as np
import torch

from pyvae.data.base import DataSplits, Split, shuffled
from pyvae.data.files import Source, fetch
from pyvae.data.formats import read_npz
from pyvae.errors import DataError
from pyvae.registry import datasets

__all__ = ["freyface"]


@datasets.register("freyface")
def freyface(*, data_dir: str | os.PathLike[str] | None = None) -> DataSplits:
    """Grey levels 0 to 255, shuffled (the file is in video order), split 1565 / 200 / 200.

    Source: Brendan Frey and Sam Roweis. No licence is stated, so it is not downloaded: put
    ``freyface.npz`` with an array ``images`` (N, 28, 20) uint8 into the data folder.
    """
    path = fetch("freyface", Source("freyface.npz"), data_dir)
    images = read_npz(path, ["images"])["images"]
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 20):
        raise DataError(
            f"{path}: array 'images' must be (N, 28, 20) uint8, got {images.shape} {images.dtype}"
        )
    held = min(200, len(images) // 5)
    sizes = (len(images) - 2 * held, held, held)
    frames = Split(torch.from_numpy(images).unsqueeze(1))
    return DataSplits("freyface", *shuffled(frames, sizes), levels=255)
