"""The same rows in files of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

RNG = np.random.default_rng(0)
ROWS, COLUMNS = 230, 12
X = RNG.integers(0, 9, (ROWS, COLUMNS)).astype("f4")
X[:, 0] = 1 + np.arange(ROWS)
Y = np.arange(ROWS) % 4


def npy(path: Path) -> Path:
    np.save(path / "a.npy", X)
    return path / "a.npy"


def npy_by_columns(path: Path) -> Path:
    np.save(path / "a.npy", np.asfortranarray(X.astype(">f8")))
    return path / "a.npy"


def npz(path: Path) -> Path:
    np.savez(path / "a.npz", y=Y, x=X)
    return path / "a.npz"


def npz_compressed(path: Path) -> Path:
    np.savez_compressed(path / "a.npz", y=Y, x=X)
    return path / "a.npz"


def safetensors(path: Path) -> Path:
    tensors = {"x": torch.from_numpy(X).bfloat16(), "y": torch.from_numpy(Y)}
    save_file(tensors, path / "a.safetensors")
    return path / "a.safetensors"


def hdf5(path: Path, **options: Any) -> Path:
    with h5py.File(path / "a.h5", "w") as file:
        file.create_dataset("X", data=X, **options)
        file["Y"] = Y
    return path / "a.h5"


def hdf5_in_chunks(path: Path) -> Path:
    return hdf5(path, chunks=(7, 5), compression="gzip")


def sparse_rows(path: Path) -> Path:
    return _sparse(path, X, "csr_matrix")


def sparse_columns(path: Path) -> Path:
    return _sparse(path, X.T, "csc_matrix")


def _sparse(path: Path, lines: np.ndarray, kind: str) -> Path:
    with h5py.File(path / "a.h5ad", "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"], group.attrs["shape"] = kind, X.shape
        owner, place = np.nonzero(lines)
        group["data"], group["indices"] = lines[owner, place], place
        group["indptr"] = np.append(0, np.cumsum(np.bincount(owner, minlength=len(lines))))
        file["Y"] = Y
    return path / "a.h5ad"


def csv(path: Path) -> Path:
    np.savetxt(path / "a.csv", X, delimiter=",", header=",".join("abcdefghijkl"), comments="")
    return path / "a.csv"


def images(path: Path) -> Path:
    for row, pixels in enumerate(X.astype("u1").reshape(ROWS, 3, 4)):
        place = path / "photos" / str(Y[row])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{row:03}.png")
    return path / "photos"


IN_PLACE = [npy, npy_by_columns, safetensors, hdf5, sparse_rows, sparse_columns]
COPIED = [npz, npz_compressed, hdf5_in_chunks, csv, images]


def whole(split: Any) -> Any:
    """All rows of a split, read."""
    return split[:]
