"""MNIST with the fixed binarization of Larochelle and Murray, 2011."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pyvae.data.base import DataSplits, Split
from pyvae.data.files import Source, fetch, find
from pyvae.data.formats import read_amat, read_npz
from pyvae.errors import DataError
from pyvae.registry import datasets

__all__ = ["binarized_mnist"]

_PACKED = ("binarized_mnist_bits.npz", "binarized_mnist.npz")
_URL = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
_TEXTS = {
    "train": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    "valid": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    "test": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
}


@datasets.register("binarized_mnist")
def binarized_mnist(*, data_dir: str | os.PathLike[str] | None = None) -> DataSplits:
    """Zeros and ones, 28 x 28, no labels, split 50000 / 10000 / 10000.

    Read from ``binarized_mnist_bits.npz`` (arrays train, valid, test: (N, 98) uint8 of packed bits,
    or (N, 784) of zeros and ones) if that is there, else from the three published ``.amat`` files.
    The rows of the test split are sorted by class: take random subsets.
    """
    packed = find("binarized_mnist", _PACKED, data_dir)
    if packed is not None:
        arrays = read_npz(packed, list(_TEXTS))
        rows = {split: _bits(packed, split, array) for split, array in arrays.items()}
    else:
        rows = {}
        for split, digest in _TEXTS.items():
            name = f"binarized_mnist_{split}.amat"
            source = Source(name, f"sha256:{digest}", (_URL + name,))
            rows[split] = read_amat(fetch("binarized_mnist", source, data_dir), 784)
    train, valid, test = (Split(rows[split].reshape(-1, 1, 28, 28)) for split in _TEXTS)
    return DataSplits("binarized_mnist", train, valid, test, levels=1)


def _bits(path: Path, key: str, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    if array.dtype == np.uint8 and array.ndim == 2 and array.shape[1] == 98:
        return torch.from_numpy(np.unpackbits(array, axis=1)[:, :784].copy())
    if array.dtype.kind in "bui" and array.ndim == 2 and array.shape[1] == 784 and array.max() <= 1:
        return torch.from_numpy(array.astype(np.uint8))
    raise DataError(
        f"{path}: array {key!r} must be packed bits (N, 98) uint8, or zeros and ones (N, 784), "
        f"got {array.shape} {array.dtype}"
    )
