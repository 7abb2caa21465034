"""Images in HDF5 files: channels found, levels kept as they are stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.cli import main
from pyvae.data import Split
from pyvae.errors import DataError

Read = Callable[..., tuple[Split, "int | None"]]
RNG = np.random.default_rng(0)


def write(path: Path, name: str = "images", **items: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for key, value in items.items():
            file[key] = value
    return path


def colours(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [
        ((20, 64, 64, 3), None, (3, 64, 64)),
        ((20, 3, 32, 32), None, (3, 32, 32)),
        ((20, 17, 12, 1), None, (1, 17, 12)),
        ((20, 1, 17, 12), None, (1, 17, 12)),
        ((20, 17, 12), None, (1, 17, 12)),
        ((20, 8, 8, 13), "last", (13, 8, 8)),
        ((20, 13, 8, 8), "first", (13, 8, 8)),
        ((20, 3, 8, 1), "last", (1, 3, 8)),
        ((20, 2, 4, 4, 4), None, (2, 4, 4, 4)),
    ],
)
def test_channels_are_found(
    tmp_path: Path,
    shape: tuple[int, ...],
    channels: str | None,
    expected: tuple[int, ...],
    whole: Read,
) -> None:
    pixels = colours(*shape)
    path = write(tmp_path / "photos.h5", images=pixels, Y=np.arange(20) % 4)
    rows, levels = whole(path, channels=channels)
    assert tuple(rows.x.shape[1:]) == expected
    assert (rows.x.dtype, levels) == (torch.uint8, 255) and rows.extras == {}
    last = channels == "last" or (channels is None and len(shape) == 4 and shape[-1] in (1, 3))
    stored = np.moveaxis(pixels, -1, 1) if last else pixels
    np.testing.assert_array_equal(rows.x, stored.reshape(20, *expected))
    photos = data.load(str(path), **({} if channels is None else {"channels": channels}))
    assert photos.levels == 255 and photos.data_shape == expected
    assert photos.train.y is not None and len(photos.train.y) == 16


@pytest.mark.parametrize("shape", [(20, 8, 8, 4), (20, 3, 8, 1)])
def test_channels_that_cannot_be_told(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write(tmp_path / "photos.h5", images=colours(*shape))
    count = "no" if 4 in shape else "two"
    said = rf"has {count} dimensions that could be channels .*channels=first or channels=last"
    with pytest.raises(DataError, match=said):
        data.load(str(path))
    with pytest.raises(DataError, match="channels must be 'first', 'last' or 'none', got"):
        data.load(str(path), channels="middle")


def test_zeros_and_ones_have_one_level(tmp_path: Path, whole: Read) -> None:
    bits = RNG.random((20, 8, 8)) < 0.5
    for stored in (bits, bits.astype(np.uint8), bits.astype(np.int64)):
        rows, levels = whole(write(tmp_path / "bits.h5", images=stored))
        assert levels == 1 and rows.x.dtype == torch.uint8
        np.testing.assert_array_equal(rows.x[:, 0], bits)


def test_levels_of_a_matrix_and_of_other_types(tmp_path: Path, whole: Read) -> None:
    pixels = colours(20, 30)
    for dtype in ("uint8", "int32", "float64"):
        path = write(tmp_path / "flat.h5", X=pixels.astype(dtype))
        rows, levels = whole(path, values="levels")
        assert (rows.x.dtype, levels) == (torch.uint8, 255)
        np.testing.assert_array_equal(rows.x, pixels)
    for bad, said in ((-1.0, "from -1 to"), (256.0, "to 256"), (0.5, "not all of them whole")):
        wrong = pixels.astype(np.float64)
        wrong[3, 4] = bad
        with pytest.raises(DataError, match=f"must hold levels .*{said}"):
            whole(write(tmp_path / "flat.h5", X=wrong), values="levels")


def test_images_of_real_values(tmp_path: Path, whole: Read) -> None:
    pixels = RNG.random((20, 8, 6, 3))
    path = write(tmp_path / "photos.h5", images=pixels)
    rows, levels = whole(path)
    assert levels is None and rows.x.dtype == torch.float32
    np.testing.assert_allclose(rows.x, np.moveaxis(pixels, -1, 1), rtol=1e-6)
    pixels[19, 2, 1, 0] = np.inf
    with pytest.raises(DataError, match=r"got inf in image 19, channel 0, row 2, column 1"):
        whole(write(path, images=pixels))


def test_the_matrix_comes_before_the_images(tmp_path: Path) -> None:
    path = write(tmp_path / "both.h5", X=np.ones((20, 4)), images=colours(20, 8, 8))
    assert data.load(str(path)).data_shape == (4,)
    assert data.load(str(path), x="images").data_shape == (1, 8, 8)
    path = write(tmp_path / "other.h5", imgs=colours(20, 8, 8))
    with pytest.raises(DataError, match="has no 'X'; it holds imgs: name the data with x=NAME"):
        data.load(str(path))


def test_training_on_images_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "my photos.h5", images=colours(30, 9, 7, 3))
    out = tmp_path / "run"
    small = ["--steps", "2", "--batch-size", "8", "--eval-samples", "0", "--quiet"]
    parts = ["--encoder", "conv", "--decoder", "conv", "--out", str(out)]
    assert main(["train", "--dataset", str(path), *parts, *small]) == 0
    assert json.loads((out / "config.json").read_text())["data_shape"] == [3, 9, 7]
    assert (out / "reconstructions.png").is_file()
