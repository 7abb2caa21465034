"""Folders of images: what people have on their disks, and what somebody may have put there."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pyvae import data
from pyvae.cli import main
from pyvae.data import memory
from pyvae.errors import DataError, MissingExtraError

RNG = np.random.default_rng(0)
FORMATS = {".png": "PNG", ".JPG": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}


def grey(height: int = 17, width: int = 12) -> np.ndarray:
    return RNG.integers(0, 256, (height, width), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, FORMATS[path.suffix], **options)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a space in its name: 24 images of 17 x 12, of every format, in two classes."""
    folder = tmp_path / "my photos"
    for i in range(24):
        suffix = list(FORMATS)[i % 5]
        save(folder / ("big dogs", "cats")[i % 2] / f"no {i}{suffix}", grey())
    return folder


def png(width: int, height: int) -> bytes:
    """A PNG that states a size, and holds little."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def test_a_folder_with_subfolders_as_labels(photos: Path) -> None:
    (photos / "cats" / ".thumbnail.png").write_bytes(b"hidden")
    (photos / "notes.txt").write_text("no image")
    found = data.load(photos)
    assert (found.name, found.data_shape, found.levels) == ("my photos", (3, 17, 12), 255)
    assert [len(split) for split in found.splits.values()] == [20, 2, 2]
    assert found.train.x.dtype == torch.uint8 and found.classes == ("big dogs", "cats")
    again = data.load(str(photos))
    assert torch.equal(found.train.x, again.train.x) and found.train.y is not None
    one_class = data.load(photos / "cats")
    assert one_class.train.y is None and len(one_class.train) == 10


def test_the_pixels_are_those_of_the_files(tmp_path: Path, whole: object) -> None:
    stored = [grey() for _ in range(12)]
    for i, pixels in enumerate(stored):
        save(tmp_path / f"{i:02}.png", pixels)
    rows, levels = whole(tmp_path)  # type: ignore[operator]
    assert levels == 255
    np.testing.assert_array_equal(rows.x[:, 0], np.stack(stored))
    rows, _ = whole(tmp_path, grey=False)  # type: ignore[operator]
    assert rows.x.shape == (12, 3, 17, 12)
    colours = RNG.integers(0, 256, (17, 12, 3), dtype=np.uint8)
    save(tmp_path / "99.png", colours)  # one image in colours is enough
    rows, _ = whole(tmp_path)  # type: ignore[operator]
    np.testing.assert_array_equal(rows.x[12], np.moveaxis(colours, -1, 0))
    rows, _ = whole(tmp_path, grey=True)  # type: ignore[operator]
    np.testing.assert_array_equal(rows.x[0, 0], stored[0])


def test_images_of_many_sizes(photos: Path) -> None:
    save(photos / "cats" / "wide.png", np.full((10, 40, 3), 200, np.uint8))
    with pytest.raises(DataError, match=r"wide\.png has 10 x 40 pixels and .* 17 x 12; size=64 ma"):
        data.load(photos)
    assert data.load(photos, size=8).data_shape == (3, 8, 8)
    assert data.load(photos, size=[8, 6], grey=True).data_shape == (1, 8, 6)
    with pytest.raises(DataError, match=r"size must be one number or height,width"):
        data.load(photos, size=[8, 6, 3])


def test_the_shorter_side_is_scaled_and_the_centre_kept(tmp_path: Path, whole: object) -> None:
    """Thirds of a wide image: the middle one is left."""
    pixels = np.repeat(np.array([0, 120, 240], np.uint8), 30)[None].repeat(30, 0)
    for i in range(2):
        save(tmp_path / f"{i}.png", pixels if i else pixels.T.copy())
    rows, _ = whole(tmp_path, size=[10])  # type: ignore[operator]
    assert rows.x[:, :, 1:-1, 1:-1].float().sub(120).abs().max() < 5


def test_photographs_are_turned_as_they_were_taken(tmp_path: Path, whole: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :8] = 255  # white on the left, which is above when it is turned
    save(tmp_path / "a.JPG", pixels, exif=exif, quality=95)
    rows, _ = whole(tmp_path)  # type: ignore[operator]
    assert rows.x.shape == (1, 1, 16, 8)
    assert rows.x[0, 0, :6].min() > 240 and rows.x[0, 0, -6:].max() < 15


def test_deep_and_bilevel_images(tmp_path: Path, whole: object) -> None:
    deep = RNG.integers(0, 2**16, (5, 6)).astype(np.uint16)
    save(tmp_path / "a.png", deep)
    Image.fromarray(deep[:5, :6] > 2**15).save(tmp_path / "b.tif")
    rows, _ = whole(tmp_path)  # type: ignore[operator]
    np.testing.assert_array_equal(rows.x[0, 0], deep >> 8)
    np.testing.assert_array_equal(rows.x[1, 0] == 255, deep > 2**15)
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "c.tif")
    with pytest.raises(DataError, match=r"c\.tif holds numbers of 32 bits"):
        whole(tmp_path)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (png(100_000, 100_000), "exceeds limit"),
        (png(10_000, 9_000), "truncated"),
        (png(17, 12)[:45], "damaged"),
        (b"", "damaged or no image"),
        (b"GIF89a" + bytes(100), "damaged or no image"),
    ],
    ids=["1e10 pixels", "9e7 pixels", "cut short", "empty", "GIF"],
)
def test_bad_images(photos: Path, content: bytes, said: str) -> None:
    bad = photos / "cats" / "zz.png"
    bad.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        data.load(photos, size=8)
    assert str(bad) in str(caught.value)


@pytest.mark.parametrize("suffix", FORMATS)
def test_truncated_images_of_every_format(photos: Path, suffix: str) -> None:
    bad = save(photos / f"zz{suffix}", np.tile(grey(64, 64), (4, 4)))
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"zz{suffix} is damaged"):
        data.load(photos, size=200)


def test_images_that_would_not_fit(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = data.load(photos, size=128)
    monkeypatch.setattr(memory, "available_memory", lambda: 1_000_000)
    monkeypatch.setenv("PYVAE_CACHE", str(tmp_path / "cache"))
    from_disk = data.load(photos, size=128)
    order = in_memory.rows["test"].argsort()
    assert torch.equal(from_disk.test[:].x, in_memory.test.x[order])
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(DataError, match=r"24 x 3 x 10+ x 10+ numbers of 1 bytes would take"):
        data.load(photos, size=1_000_000)


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        data.load(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        data.load(tmp_path / "nowhere")


def test_a_folder_that_is_split(tmp_path: Path) -> None:
    """Classes are those of all parts, wherever they occur."""
    for split, count in (("train", 20), ("val", 5), ("test", 6)):
        for i in range(count):
            save(tmp_path / split / "abc"[i % (3 if split == "test" else 2)] / f"{i}.png", grey())
    found = data.load(tmp_path)
    assert [len(split) for split in found.splits.values()] == [20, 5, 6]
    assert found.classes == ("a", "b", "c") and found.train.y is not None
    assert found.train.y.max() == 1 and found.test.y is not None and found.test.y.max() == 2
    (tmp_path / "other").mkdir()  # then the folders are classes
    assert set(data.load(tmp_path).classes) == {"train", "val", "test"}
    for path in (tmp_path / "val").rglob("*.png"):
        path.unlink()
    (tmp_path / "other").rmdir()
    for folder in sorted((tmp_path / "val").rglob("*"), reverse=True):
        folder.rmdir()
    (tmp_path / "val").rmdir()
    found = data.load(tmp_path)  # a tenth of the rows for training is for validation
    assert [len(split) for split in found.splits.values()] == [18, 2, 6]


def test_training_on_a_folder_of_photographs(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--steps", "2", "--batch-size", "8", "--eval-samples", "0", "--quiet"]
    parts = ["--encoder", "conv", "--decoder", "conv", "--dataset-args", "grey=true"]
    assert main(["train", "--dataset", "my photos", *parts, *small]) == 0
    out = tmp_path / "runs" / "my photos"
    assert json.loads((out / "config.json").read_text())["data_shape"] == [1, 17, 12]
    monkeypatch.chdir("/")  # the path of the data was kept whole
    assert main(["evaluate", str(out), "--samples", "0"]) == 0


def test_without_pillow(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pyvae-fused\[images\]"'):
        data.load(photos)


def test_options_that_do_not_exist(photos: Path) -> None:
    with pytest.raises(TypeError, match="no option 'sise'; did you mean 'size'"):
        data.load(photos, sise=3)
    with pytest.raises(TypeError, match="must be a list of whole numbers or none"):
        data.load(photos, size="large")
