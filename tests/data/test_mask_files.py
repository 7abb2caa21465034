"""A mask beside the data, as a file or an array: the same as NaN in the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

import pyvae
from pyvae import data
from pyvae.cli import main
from pyvae.data import DataSplits
from pyvae.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype("f4")
SEEN = RNG.random(X.shape) < 0.7
WITH_NAN = np.where(SEEN, X, np.nan)


def write(folder: Path, x: np.ndarray, mask: np.ndarray) -> tuple[Path, Path]:
    np.save(folder / "x.npy", x)
    np.save(folder / "mask.npy", mask)
    return folder / "x.npy", folder / "mask.npy"


def whole(found: DataSplits, name: str) -> Any:
    """All rows of a split in the order of their files."""
    split = found.splits[name]
    return split.take(found.rows[name].argsort())


def assert_same(one: DataSplits, other: DataSplits) -> None:
    for name in one.splits:
        a, b = whole(one, name), whole(other, name)
        assert torch.equal(a.x, b.x) and torch.equal(a.extras["mask"], b.extras["mask"])


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("dtype", ["?", "u1", "f8"])
def test_a_mask_is_the_same_as_nan(tmp_path: Path, dtype: str, streaming: bool) -> None:
    """Whatever stands where nothing was observed, here infinite numbers."""
    path, mask = write(tmp_path, np.where(SEEN, X, np.inf), SEEN.astype(dtype))
    np.save(tmp_path / "nan.npy", WITH_NAN)
    found = data.load(path, mask=str(mask), streaming=streaming)
    assert_same(found, data.load(tmp_path / "nan.npy"))


@pytest.mark.parametrize("streaming", [False, True])
def test_counts_and_images_with_a_mask(tmp_path: Path, streaming: bool) -> None:
    counts = RNG.integers(1, 9, (40, 5))
    path, mask = write(tmp_path, np.where(SEEN, counts, -1), SEEN)
    found = data.load(path, mask=mask, streaming=streaming)
    for name in found.splits:
        rows = whole(found, name)
        index = found.rows[name].sort().values.numpy()
        expected = torch.from_numpy((counts * SEEN).astype("f4")[index])
        assert torch.equal(rows.x, expected)
        assert torch.equal(rows.extras["library"], expected.sum(1))
        assert torch.equal(rows.extras["mask"], torch.from_numpy(SEEN[index]))
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = RNG.integers(0, 255, (40, 6, 4, 3), dtype=np.uint8)
    for row, image in enumerate(pixels):
        Image.fromarray(image).save(photos / f"{row:02}.png")
    seen = RNG.random((40, 3, 6, 4)) < 0.5
    np.save(mask, seen)
    found = data.load(photos, mask=mask, streaming=streaming)
    assert found.levels == 255
    index = found.rows["train"].sort().values.numpy()
    rows = whole(found, "train")
    assert torch.equal(rows.extras["mask"], torch.from_numpy(seen[index]))
    assert torch.equal(rows.x, torch.from_numpy((pixels.transpose(0, 3, 1, 2) * seen)[index]))


def test_a_mask_and_nan_together_in_another_format(tmp_path: Path) -> None:
    x = X.copy()
    x[:, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["X"] = SEEN.astype("u1")
    found = data.load(tmp_path / "x.npy", mask=tmp_path / "mask.h5")
    mask = whole(found, "train").extras["mask"].numpy()
    expected = SEEN.copy()
    expected[:, 0] = False
    assert (mask == expected[found.rows["train"].sort().values.numpy()]).all()


def test_parts_have_masks_of_their_own(tmp_path: Path) -> None:
    for name in ("data", "masks"):
        (tmp_path / name).mkdir()
        for part, rows in (("train", slice(0, 30)), ("test", slice(30, 40))):
            np.save(tmp_path / name / f"{part}.npy", (X if name == "data" else SEEN)[rows])
    found = data.load(tmp_path / "data", mask=tmp_path / "masks")
    assert torch.equal(found.test.extras["mask"], torch.from_numpy(SEEN[30:]))
    with pytest.raises(DataError, match="must have the parts of the data, test, train, got train"):
        data.load(tmp_path / "data", mask=tmp_path / "masks" / "train.npy")


@pytest.mark.parametrize("streaming", [False, True])
def test_masks_that_do_not_fit(tmp_path: Path, streaming: bool) -> None:
    path, mask = write(tmp_path, X, SEEN[:, :4])
    with pytest.raises(DataError, match=r"mask.npy must have the shape \(40, 5\) of .*x.npy, got"):
        data.load(path, mask=mask, streaming=streaming)
    np.save(mask, 2 * SEEN.astype("u1"))
    with pytest.raises(DataError, match=r"the mask must hold zeros and ones: .*mask\.npy"):
        data.load(path, mask=mask, streaming=streaming)
    with pytest.raises(DataError, match=r"the mask .*none.npy does not exist"):
        data.load(path, mask=tmp_path / "none.npy")


def test_the_command_takes_a_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, X, SEEN)
    np.save(tmp_path / "nan.npy", WITH_NAN)
    monkeypatch.chdir(tmp_path)
    for name, options in (("x.npy", ["--dataset-args", "mask=mask.npy"]), ("nan.npy", [])):
        command = ["train", "--dataset", name, *options, "--likelihood", "gaussian"]
        command += ["--latent-dim", "2", "--epochs", "2", "--quiet", "--eval-samples", "0"]
        assert main([*command, "--out", name[:-4]]) == 0
    one, other = (json.loads(Path(n, "results.json").read_text()) for n in ("x", "nan"))
    assert one["elbo"] == other["elbo"]
    monkeypatch.chdir(tmp_path.parent)
    assert main(["evaluate", str(tmp_path / "x"), "--samples", "0"]) == 0


def test_fit_takes_a_mask() -> None:
    def trained(x: np.ndarray, **options: Any) -> list[float]:
        torch.manual_seed(0)
        vae = pyvae.VAE((5,), 2, likelihood="gaussian", masked=True)
        return pyvae.fit(vae, x, epochs=2, progress=False, **options)["valid/elbo"]

    filled = np.where(SEEN, X, 1e9).astype("f4")
    assert trained(WITH_NAN) == trained(filled, mask=SEEN) == trained(filled, mask=1.0 * SEEN)
    vae = pyvae.VAE((5,), 2, likelihood="gaussian")
    with pytest.raises(DataError, match="build it with masked=True"):
        pyvae.fit(vae, X, mask=SEEN)
    for mask in (SEEN[:, :4], SEEN[:5], 2 * SEEN.astype("u1")):
        with pytest.raises(
            DataError, match=r"mask must hold zeros and ones of the shape \(40, 5\)"
        ):
            trained(X, mask=mask)
    splits = DataSplits("x", *[pyvae.data.Split(torch.from_numpy(X))] * 3)
    with pytest.raises(DataError, match="mask is for data that lie in memory, got a DataSplits"):
        trained(splits, mask=SEEN)
