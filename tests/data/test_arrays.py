"""Arrays in files of numpy, safetensors and HDF5: found, typed, and never trusted."""

from __future__ import annotations

import io
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pyvae import data
from pyvae.data import memory
from pyvae.errors import DataError

RNG = np.random.default_rng(0)
Write = Callable[[Path, np.ndarray], Path]


def npy(folder: Path, x: np.ndarray) -> Path:
    np.save(folder / "a.npy", x)
    return folder / "a.npy"


def npz(folder: Path, x: np.ndarray) -> Path:
    np.savez_compressed(folder / "a.npz", x=x, y=np.arange(len(x)) % 4)
    return folder / "a.npz"


def safetensors(folder: Path, x: np.ndarray) -> Path:
    tensors = {"x": torch.from_numpy(x), "labels": torch.arange(len(x)) % 4}
    save_file(tensors, folder / "a.safetensors")
    return folder / "a.safetensors"


def hdf5(folder: Path, x: np.ndarray) -> Path:
    with h5py.File(folder / "a.hdf5", "w") as file:
        file["X"], file["Y"] = x, np.arange(len(x)) % 4
    return folder / "a.hdf5"


formats = pytest.mark.parametrize("write", [npy, npz, safetensors, hdf5], ids=lambda f: f.__name__)


@formats
@pytest.mark.parametrize(
    ("shape", "dtype", "expected", "options"),
    [
        ((20,), "f4", (1,), {}),
        ((20, 5), "f8", (5,), {"values": "real"}),
        ((20, 17, 12), "u1", (1, 17, 12), {}),
        ((20, 8, 6, 3), "u1", (3, 8, 6), {}),
        ((20, 4, 8, 6), "f4", (1, 4, 8, 6), {"channels": "none"}),
        ((20, 2, 4, 8, 6), "u1", (2, 4, 8, 6), {}),
        ((20, 4, 8, 6, 2), "u1", (2, 4, 8, 6), {"channels": "last"}),
        ((20, 2, 2, 3, 4, 5), "f4", (2, 2, 3, 4, 5), {}),
        ((20, 48), "u1", (3, 4, 4), {"shape": [3, 4, 4], "levels": 255}),
    ],
)
def test_any_number_of_dimensions(
    tmp_path: Path,
    write: Write,
    shape: tuple[int, ...],
    dtype: str,
    expected: tuple[int, ...],
    options: dict[str, Any],
) -> None:
    x = RNG.integers(2, 256, shape).astype(dtype)
    found = data.load(write(tmp_path, x), **options)
    levels = dtype == "u1"
    assert found.data_shape == expected and found.levels == (255 if levels else None)
    assert found.train.x.dtype == (torch.uint8 if levels else torch.float32)
    total = sum(int(split.x.double().sum()) for split in found.splits.values())
    assert total == int(x.astype("f8").sum())
    assert write is npy or found.classes == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("dtype", "levels", "extras"),
    [("?", 1, []), ("u1", 255, []), ("i4", None, ["library"]), ("f8", None, [])],
)
def test_what_a_matrix_holds(
    tmp_path: Path, dtype: str, levels: int | None, extras: list[str]
) -> None:
    x = RNG.integers(0, 100, (20, 5)).astype(dtype)
    x[:, 0] = 1
    found = data.load(npy(tmp_path, x))
    assert (found.levels, list(found.train.extras)) == (levels, extras)


def test_half_precision_is_read(tmp_path: Path) -> None:
    x = torch.arange(60.0).view(20, 3) / 8
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        save_file({"any name": x.to(dtype), "y": torch.ones(20)}, tmp_path / "a.safetensors")
        found = data.load(tmp_path / "a.safetensors")
        assert found.train.x.dtype == torch.float32 and found.train.y is not None
        assert found.train.x.max() <= 59 / 8


@formats
def test_missing_and_infinite_values(tmp_path: Path, write: Write) -> None:
    x = RNG.normal(size=(20, 4)).astype("f4")
    x[3, 2] = np.nan
    found = data.load(write(tmp_path, x), values="real")
    masks = torch.cat([split.extras["mask"] for split in found.splits.values()])
    assert int((~masks).sum()) == 1 and not bool(found.train.x.isnan().any())
    x[3, 2] = -np.inf
    with pytest.raises(DataError, match="got -inf in row 3, column 2"):
        data.load(write(tmp_path, x), values="real")


def test_names_that_are_given(tmp_path: Path) -> None:
    arrays = {"a": np.ones((20, 3)), "b": np.zeros((20, 2)), "kind": np.array(["u", "v"] * 10)}
    np.savez(tmp_path / "a.npz", **arrays)
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match="holds a, b, kind: name the data with x=NAME"):
        data.load(path)
    found = data.load(path, x="b", labels="kind")
    assert found.data_shape == (2,) and found.classes == ("u", "v")
    with pytest.raises(DataError, match="has no 'c'; it holds a, b, kind"):
        data.load(path, x="c")
    with pytest.raises(DataError, match="b has no 'sort' beside the data; there is kind"):
        data.load(path, x="b", labels="sort")


@formats
def test_truncated_files(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path, RNG.normal(size=(200, 40)))
    content = path.read_bytes()
    for size in (0, 5, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match="is damaged or not") as caught:
            data.load(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


class Evil:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "done"))


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    target = tmp_path / "written"
    evil = np.array([Evil(target)] * 20, dtype=object)
    np.save(tmp_path / "a.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.ones((20, 2)), y=evil)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Evil(target)))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", pickle.dumps(Evil(target)))
    for name, said in (
        ("a.npy", r"holds Python objects \(pickle\), which are never read"),
        ("a.npz", r"y holds Python objects \(pickle\), which are never read"),
        ("b.npy", "magic string"),
        ("b.npz", "magic string"),
    ):
        with pytest.raises(DataError, match=said):
            data.load(tmp_path / name)
    assert not target.exists()


def header(shape: tuple[int, ...]) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return content.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros of which a thousand take a byte; and a header that claims more than there is."""
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((1000, 5000)))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(memory, "available_memory", lambda: 20_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(
        DataError, match=r"x: 1000 x 5000 numbers .* would take 20 MB of memory, .* has 1 kB"
    ):
        data.load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header((10**7, 10**5)) + bytes(10**6))
    with pytest.raises(DataError, match=r"x states .* numbers of float64 and holds 1000128 bytes"):
        data.load(path)
    (tmp_path / "bomb.npy").write_bytes(header((10**7, 10**5)) + bytes(1000))
    with pytest.raises(DataError, match=r"bomb\.npy is damaged or not"):
        data.load(tmp_path / "bomb.npy")


def test_a_layer_and_columns_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "cells.h5ad"
    counts = RNG.poisson(3.0, (20, 4)) + 1.0
    with h5py.File(path, "w") as file:
        file["X"] = np.log1p(counts)
        file.create_group("layers")["raw"] = counts
        obs = file.create_group("obs")
        kind = obs.create_group("kind")
        kind["codes"], kind["categories"] = np.arange(20) % 2, ["B", "T"]
        batch = obs.create_group("batch")
        batch["codes"], batch["categories"] = np.arange(20) % 3 - 1, ["first", "second"]
        obs["age"] = np.arange(20.0)
    cells = data.load(path, layer="raw", labels="kind", conditions=["batch", "age", "label"])
    assert cells.classes == ("B", "T") and cells.train.x.min() >= 1
    assert cells.conditions is not None
    assert cells.conditions.places[:3] == ("batch=first", "batch=second", "batch missing")
    for split in cells.splits.values():
        age, std = cells.conditions.parts[1].mean, cells.conditions.parts[1].std
        row = (split.extras["condition"][:, 3].double() * std + age).round().long()
        expected = torch.where(row % 3 == 0, 2, row % 3 - 1)  # the first has no batch
        assert torch.equal(split.extras["condition"][:, :3].argmax(1), expected)
        assert split.y is not None and torch.equal(row % 2, split.y)
    assert data.load(path, values="real").train.x.max() < 4
    with pytest.raises(DataError, match="has no 'layers/rw'; it holds raw"):
        data.load(path, layer="rw")
    with pytest.raises(DataError, match="give x=X or layer=raw, not both"):
        data.load(path, x="X", layer="raw")


def test_unknown_kinds_of_files(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    np.save(tmp_path / "a.npy", np.ones((20, 3)))
    (tmp_path / "a.npy").rename(path)
    with pytest.raises(DataError, match=r"is of no kind that is known; .* \.csv, .*\.npy, "):
        data.load(path)
    assert data.load(path, reader="npy").data_shape == (3,)
    with pytest.raises(DataError, match=r"a\.npz does not exist"):
        data.load(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"values": "ints"}, "values must be counts, corrected, levels or real, got 'ints'"),
        ({"levels": 300}, "levels must be the highest level, from 1 to 255, got 300"),
        ({"levels": 16, "values": "real"}, "levels=16 is for values=levels, got real"),
        ({"shape": [0]}, "shape must be positive whole numbers"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        data.load(npy(tmp_path, np.ones((20, 3))), **options)
