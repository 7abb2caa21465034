"""MNIST of 14 x 14 pixels, for experiments that shall not take long."""

from __future__ import annotations

from pathlib import Path

import h5py
import torch

import pyvae.data

__all__ = ["SMALL", "small_digits"]

SMALL = "mnist, 14 x 14"


def small_digits(folder: Path) -> list[str]:
    """Arguments of ``pyvae train`` for means of 2 x 2 pixels of MNIST, binarized once.

    Args:
        folder: where the files are made, if they are not there
    """
    paths = folder / "digits14.h5", folder / "digits14-test.h5"
    given = ["--dataset", str(paths[0]), "--dataset-args", f"test={paths[1]}"]
    if all(path.is_file() for path in paths):
        return given
    folder.mkdir(parents=True, exist_ok=True)
    digits, noise = pyvae.data.load("mnist"), torch.Generator().manual_seed(0)
    for path, splits in zip(paths, ((digits.train, digits.valid), (digits.test,)), strict=True):
        x = torch.cat([split.x for split in splits]).float() / 255
        half = torch.nn.functional.avg_pool2d(x, 2)
        with h5py.File(path, "w") as file:
            drawn = torch.rand(half.shape, generator=noise) < half
            file["images"] = drawn[:, 0].to(torch.uint8).numpy()
            file["Y"] = torch.cat([split.y for split in splits]).numpy()
    return given
