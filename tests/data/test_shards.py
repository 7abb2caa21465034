"""Folders of Hugging Face datasets, and tar shards of webdataset, as these libraries write them."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pyvae import data
from pyvae.errors import DataError, MissingExtraError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 9, 7), dtype=np.uint8)


def all_of(found: data.DataSplits) -> np.ndarray:
    x = torch.cat([split.x for split in found.splits.values()]).numpy()
    return np.sort(x.reshape(len(x), -1), 0)


# Folders of datasets


@pytest.fixture(scope="module")
def hf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders: of images, of their splits, of arrays, of a table."""
    library = pytest.importorskip("datasets", reason='pip install "pyvae-fused[hf]"')
    library.disable_progress_bars()
    path = tmp_path_factory.mktemp("hf")
    features = {"image": library.Image(), "kind": library.ClassLabel(names=["cat", "dog"])}
    images = library.Dataset.from_dict(
        {
            "image": [Image.fromarray(pixels) for pixels in PIXELS],
            "kind": [i % 2 for i in range(24)],
            "age": [None if i == 3 else float(i) for i in range(24)],
        },
        features=library.Features({**features, "age": library.Value("float32")}),
    )
    images.save_to_disk(path / "images")
    parts = {"train": images.select(range(20)), "validation": images.select(range(20, 24))}
    library.DatasetDict(parts).save_to_disk(path / "parts")
    arrays = {"x": PIXELS.reshape(24, -1).tolist(), "y": ["u", "v"] * 12}
    library.Dataset.from_dict(arrays).save_to_disk(path / "arrays")
    table = {"a": RNG.normal(size=24).tolist(), "b": ["u", "v", None] * 8, "n": list(range(24))}
    library.Dataset.from_dict(table).save_to_disk(path / "table")
    return path


def test_a_saved_data_set_of_images(hf: Path) -> None:
    found = data.load(hf / "images", conditions=["label", "age"])
    assert (found.data_shape, found.levels, found.classes) == ((1, 9, 7), 255, ("cat", "dog"))
    np.testing.assert_array_equal(all_of(found), np.sort(PIXELS.reshape(24, -1), 0))
    missing = [split.extras["condition"][:, -1].sum().item() for split in found.splits.values()]
    assert sum(missing) == 1
    assert data.load(hf / "images", size=5, grey=False).data_shape == (3, 5, 5)


def test_a_saved_data_set_with_splits(hf: Path) -> None:
    found = data.load(hf / "parts")
    assert [len(split) for split in found.splits.values()] == [18, 4, 2]
    np.testing.assert_array_equal(found.valid.x[:, 0], PIXELS[20:])


def test_a_saved_data_set_of_arrays_or_columns(hf: Path) -> None:
    found = data.load(hf / "arrays", labels="y", shape=[1, 9, 7], levels=255)
    assert found.classes == ("u", "v")
    np.testing.assert_array_equal(all_of(found), np.sort(PIXELS.reshape(24, -1), 0))
    found = data.load(hf / "table", drop="n")
    assert [(c.name, c.kind) for c in found.columns] == [("a", "real"), ("b", "categories")]
    assert found.columns[1].categories == ("u", "v") and "mask" in found.train.extras
    with pytest.raises(DataError, match="has no column 'm'; it has a, b, n"):
        data.load(hf / "table", drop="m")


def test_damaged_saved_data_sets(hf: Path, tmp_path: Path) -> None:
    import shutil

    path = Path(shutil.copytree(hf / "images", tmp_path / "copy"))
    (arrow,) = path.glob("*.arrow")
    content = arrow.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"nothing"):
        arrow.write_bytes(damaged)
        with pytest.raises(DataError, match=r"copy.* is damaged or not a folder of datasets"):
            data.load(path)
    (path / "state.json").write_text("{")
    with pytest.raises(DataError, match="copy is damaged or not a folder of datasets"):
        data.load(path)


def test_without_datasets(hf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pyvae-fused\[hf\]"'):
        data.load(hf / "images")


# Tar shards


def write_shard(path: Path, rows: range, **more: Any) -> Path:
    library = pytest.importorskip("webdataset", reason='pip install "pyvae-fused[webdataset]"')
    with library.TarWriter(str(path)) as shard:
        for i in rows:
            image = Image.fromarray(PIXELS[i])
            values = {"age": i, "who": None if i == 3 else "ab"[i % 2], "list": [1, 2]}
            shard.write(
                {"__key__": f"row {i:02}", "png": image, "cls": i % 11, "json": values, **more}
            )
    return path


@pytest.mark.parametrize("folder", [False, True])
def test_tar_shards(tmp_path: Path, folder: bool) -> None:
    if folder:
        write_shard(tmp_path / "a-000.tar", range(12))
        write_shard(tmp_path / "a-001.tar", range(12, 24))
        path = tmp_path
    else:
        path = write_shard(tmp_path / "a.tar", range(24))
    found = data.load(path, conditions=["age", "who"])
    assert (found.data_shape, found.levels) == ((1, 9, 7), 255)
    assert found.classes == tuple(str(i) for i in range(11))  # by number: 2 comes before 10
    np.testing.assert_array_equal(all_of(found), np.sort(PIXELS.reshape(24, -1), 0))
    assert found.conditions is not None
    assert found.conditions.places[2:] == ("who=a", "who=b", "who missing")
    assert data.load(path, size=5).data_shape == (1, 5, 5)
    with pytest.raises(DataError, match="has no 'list' beside the data; there is cls, age, who"):
        data.load(path, labels="list")


def test_shards_of_arrays(tmp_path: Path) -> None:
    library = pytest.importorskip("webdataset", reason='pip install "pyvae-fused[webdataset]"')
    path = tmp_path / "a.tar"

    def write(*arrays: np.ndarray) -> Path:
        with library.TarWriter(str(path)) as shard:
            for i, array in enumerate(arrays):
                content = io.BytesIO()
                np.save(content, array, allow_pickle=True)
                shard.write({"__key__": f"{i:02}", "npy": content.getvalue()})
        return path

    x = RNG.normal(size=(20, 5)).astype("f4")
    np.testing.assert_array_equal(all_of(data.load(write(*x))), np.sort(x, 0))
    with pytest.raises(DataError, match=r"20\.npy is \(4,\) float64 and the first of them \(5,\)"):
        data.load(write(*x, np.ones(4)))
    with pytest.raises(DataError, match=r"20\.npy is damaged or no array of numbers"):
        data.load(write(*x, np.array([print], dtype=object)))


def test_shards_that_stay_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No member is held: all that is read of an image is its header, until it is decoded."""
    monkeypatch.setenv("PYVAE_CACHE", str(tmp_path / "cache"))
    path = write_shard(tmp_path / "a.tar", range(24))
    held, away = data.load(path), data.load(path, streaming=True)
    order = held.rows["train"].argsort()
    assert np.array_equal(away.train[:].x, held.train.x[order])
    with pytest.raises(DataError, match="not compressed"):
        data.load(shutil.copy(_compressed(path), tmp_path / "b.tar"))


def _compressed(path: Path) -> Path:
    target = path.with_suffix(".gz")
    target.write_bytes(gzip.compress(path.read_bytes()))
    return target


def test_damaged_shards(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tar", range(24))
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2 + 100], content[:300], b"", b"x" * 5000):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.tar is damaged or not a tar file") as caught:
            data.load(path)
        assert "\n" not in str(caught.value) and "BufferedReader" not in str(caught.value)
    write_shard(path, range(24), json=b"{")
    with pytest.raises(DataError, match=r"row 00\.json is damaged"):
        data.load(path)
    write_shard(path, range(24), png=b"no image")
    with pytest.raises(DataError, match=r"row 00\.png is damaged or no image"):
        data.load(path)
    write_shard(path, range(24))
    with pytest.raises(DataError, match="row 00 has no 'jpg'; it has"):
        data.load(path, x="jpg")


def test_names_of_shards_are_never_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """webdataset runs what stands behind pipe: in a name."""
    monkeypatch.chdir(tmp_path)
    write_shard(tmp_path / "a.tar", range(24)).rename(tmp_path / "pipe:touch done;.tar")
    assert len(data.load("pipe:touch done;.tar").train) == 20
    assert not (tmp_path / "done").exists()


def test_without_webdataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_shard(tmp_path / "a.tar", range(24))
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pyvae-fused\[webdataset\]"'):
        data.load(path)
