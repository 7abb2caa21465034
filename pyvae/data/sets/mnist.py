"""MNIST and Fashion-MNIST, from their four idx files."""

from __future__ import annotations

import os

import torch

from pyvae.data.base import DataSplits, Split
from pyvae.data.files import Source, fetch, find
from pyvae.data.formats import read_idx
from pyvae.errors import DataError
from pyvae.registry import datasets

__all__ = ["fashion_mnist", "mnist"]

_MNIST = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
_MNIST_URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_FASHION = {
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}
_FASHION_URLS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)


@datasets.register("mnist")
def mnist(*, data_dir: str | os.PathLike[str] | None = None) -> DataSplits:
    """Handwritten digits, 28 x 28, 0 to 255 (LeCun, Cortes and Burges).

    The last 10000 training images are the validation split: 50000 / 10000 / 10000.
    """
    return _load("mnist", _MNIST, _MNIST_URLS, data_dir)


@datasets.register("fashion_mnist")
def fashion_mnist(*, data_dir: str | os.PathLike[str] | None = None) -> DataSplits:
    """Articles of clothing, 28 x 28, 0 to 255 (Xiao, Rasul and Vollgraf, 2017), split as MNIST."""
    return _load("fashion_mnist", _FASHION, _FASHION_URLS, data_dir)


def _load(
    name: str,
    digests: dict[str, str],
    urls: tuple[str, ...],
    data_dir: str | os.PathLike[str] | None,
) -> DataSplits:
    parts = []
    for stem, digest in digests.items():
        archive = Source(f"{stem}.gz", f"md5:{digest}", tuple(f"{url}{stem}.gz" for url in urls))
        unpacked = None if find(name, [archive.name], data_dir) else find(name, [stem], data_dir)
        parts.append(read_idx(unpacked or fetch(name, archive, data_dir)))
    images, labels, test_images, test_labels = parts
    for kind, x, y in (("train", images, labels), ("t10k", test_images, test_labels)):
        if x.ndim != 3 or y.ndim != 1 or len(x) != len(y):
            raise DataError(
                f"{name}: the {kind} files do not belong together: images "
                f"{tuple(x.shape)}, labels {tuple(y.shape)}"
            )
    train = Split(images.unsqueeze(1), labels.to(torch.int64))
    test = Split(test_images.unsqueeze(1), test_labels.to(torch.int64))
    held = len(train) - len(test) if len(train) > len(test) else len(train) // 2
    order = torch.arange(len(train))
    return DataSplits(name, train.take(order[:held]), train.take(order[held:]), test, levels=255)
