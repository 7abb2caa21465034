"""Tables, archives and saved data sets whose rows are made a part at a time."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pyvae import data
from pyvae.data import DataSplits, memory
from pyvae.data.readers import csv_frames, frame, hf, numpy_files, parquet_frames
from pyvae.data.stored import StoredBatch
from pyvae.errors import DataError

polars = pytest.importorskip("polars", reason='needs polars: pip install "pyvae-fused[tables]"')

ROWS = 300
RNG = np.random.default_rng(0)


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on there is little memory, and files are read in small parts."""

    def begin() -> None:
        monkeypatch.setenv("PYVAE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(memory, "available_memory", lambda: 100)
        monkeypatch.setattr(csv_frames, "_BLOCK", 700)
        monkeypatch.setattr(parquet_frames, "_NUMBERS", 50)
        monkeypatch.setattr(frame, "_NUMBERS", 35)
        monkeypatch.setattr(hf, "_ROWS", 7)
        monkeypatch.setattr(hf, "_NUMBERS", 40)
        monkeypatch.setattr(numpy_files, "_UNPACKED", 500)

    return begin


def mixed() -> polars.DataFrame:  # type: ignore[name-defined]
    """Columns whose kind shows late: whole numbers up to row 250, names that come once."""
    return polars.DataFrame(
        {
            "late": [float(i) if i > 250 and i % 2 else 0.0 for i in range(ROWS)],
            "half": [i / 1 if i < 250 else i + 0.5 for i in range(ROWS)],
            "visits": RNG.poisson(2, ROWS),
            "age": [None if i % 50 == 3 else 20 + i % 60 for i in range(ROWS)],
            "bit": [i % 2 for i in range(ROWS)],
            "yes": [None if i < 260 else i % 2 == 0 for i in range(ROWS)],
            "said": [
                'a "word", or' if i == 280 else "two\nlines" if i % 3 else "x;y"
                for i in range(ROWS)
            ],
            "city": ["Rome" if i < 290 else None if i < 295 else "Oslo" for i in range(ROWS)],
            "group": [f"g{i % 5}" for i in range(ROWS)],
        }
    )


def assert_alike(held: DataSplits, away: DataSplits) -> None:
    assert isinstance(away.train, StoredBatch) and not isinstance(held.train, StoredBatch)
    assert (held.columns, held.classes, held.levels) == (away.columns, away.classes, away.levels)
    for name, one in held.splits.items():
        other, order = away.splits[name][:], held.rows[name].argsort()
        assert torch.equal(one.x[order], other.x)
        assert one.extras.keys() == other.extras.keys()
        for key, value in one.extras.items():
            assert torch.equal(value[order], other.extras[key])
        if one.y is not None:
            assert torch.equal(one.y[order], other.y)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_tables_are_those_that_are_held(
    tmp_path: Path, little: Callable[[], None], name: str
) -> None:
    path, table = tmp_path / name, mixed()
    if name == "a.parquet":
        table.write_parquet(path, row_group_size=64)
    else:
        whole = [str(i) if i < 250 else str(i + 0.5) for i in range(ROWS)]
        table = table.with_columns(half=polars.Series(whole))
        table.write_csv(path, separator="\t" if name == "a.tsv" else ",")
    options = {"labels": "group", "conditions": ["city", "visits"]}
    held = data.load(path, **options)
    little()
    away = data.load(path, **options)
    assert_alike(held, away)
    kinds = {column.name: column.kind for column in away.columns}
    assert kinds == {
        **{"late": "real", "half": "real", "age": "real", "bit": "bits", "yes": "bits"},
        "said": "categories",
    }
    assert 'a "word", or' in away.columns[-1].categories and away.conditions == held.conditions


def test_text_without_names_and_with_blank_lines(
    tmp_path: Path, little: Callable[[], None]
) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"{i},{i / 4}\n" + "\n" * (i % 11 == 0) for i in range(ROWS))
    path.write_bytes(b"\xef\xbb\xbf" + rows.encode().rstrip())
    held = data.load(path, header=False)
    little()
    assert_alike(held, data.load(path, header=False))


def test_the_codes_of_categories_are_those_of_all_files(
    tmp_path: Path, little: Callable[[], None]
) -> None:
    table = mixed().select("half", "city")
    (tmp_path / "t").mkdir()
    for name, part in (("train", table[:200]), ("test", table[200:])):
        part.write_csv(tmp_path / "t" / f"{name}.csv")
    held = data.load(tmp_path / "t")
    little()
    assert_alike(held, data.load(tmp_path / "t"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,abc,x", "b holds numbers but for 'abc' in row 1700"),
        ("1,2", "line 1702 has 2 values where the first has 3"),
        ("1,2,x,4", "line 1702 has 4 values where the first has 3"),
        ("1,inf,x", "b must hold finite numbers, got inf in row 1700"),
        ("1,\udcff\udcfe,x", "line 1702 is not UTF-8 text"),
        ('1,2,"x', "line 1702 opens a quotation mark that nothing closes"),
    ],
)
def test_a_bad_row_is_named_in_a_file_that_is_not_held(
    tmp_path: Path, little: Callable[[], None], line: str, said: str
) -> None:
    lines = ["a,b,c", *[f"{i},{i / 2},{'xyz'[i % 3]}" for i in range(4000)]]
    lines[1701] = line
    (tmp_path / "a.csv").write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    little()
    with pytest.raises(DataError, match=said) as caught:
        data.load(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)


def test_kinds_that_are_named_are_checked_with_the_row(
    tmp_path: Path, little: Callable[[], None]
) -> None:
    mixed().select("half", "visits", "city").write_csv(tmp_path / "a.csv")
    little()
    for options, said in (
        ({"counts": "half"}, r"half must hold whole numbers .* got 250\.5 in row 250"),
        ({"bits": "visits"}, "visits must hold zeros and ones"),
        ({"real": "city"}, r"city \(real\) holds numbers but for 'Rome' in row 0"),
        ({"drop": ["half", "visits", "city"]}, "is empty: no column is left"),
    ):
        with pytest.raises(DataError, match=said):
            data.load(tmp_path / "a.csv", **options)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_archive_that_is_compressed(
    tmp_path: Path, little: Callable[[], None], order: str
) -> None:
    x = np.asarray(RNG.normal(size=(ROWS, 4, 3)), order=order)  # type: ignore[call-overload]
    path = tmp_path / "a.npz"
    np.savez_compressed(path, y=np.arange(ROWS) % 3, x=x)
    options = {"channels": "none"}
    held = data.load(path, **options)
    np.testing.assert_array_equal(held.train.x[:, 0], x[held.rows["train"]].astype("f4"))
    little()
    assert_alike(held, data.load(path, **options))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("x.npy").header_offset + 2000
    content[place] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz is damaged or not a \.npz file"):
        data.load(path, **options)


def saved(path: Path) -> Path:
    library = pytest.importorskip("datasets", reason='pip install "pyvae-fused[hf]"')
    rows = {
        "n": [None if i == 40 else i / 3 for i in range(60)],
        "who": ["ab"[i % 2] for i in range(60)],
        "label": [i % 2 for i in range(60)],
    }
    features = library.Features(
        n=library.Value("float64"),
        who=library.Value("string"),
        label=library.ClassLabel(names=["u", "v"]),
    )
    library.Dataset.from_dict(rows, features=features).save_to_disk(path / "table")
    arrays = {"x": RNG.normal(size=(60, 2, 3)).tolist(), "who": rows["who"]}
    shape = library.Array2D((2, 3), "float32")
    features = library.Features(x=shape, who=library.Value("string"))
    library.Dataset.from_dict(arrays, features=features).save_to_disk(path / "arrays")
    pixels = RNG.integers(0, 255, (60, 5, 4)).astype("u1")
    images = {"image": [Image.fromarray(one) for one in pixels], "label": rows["label"]}
    features = library.Features(image=library.Image(), label=library.ClassLabel(names=["u", "v"]))
    library.Dataset.from_dict(images, features=features).save_to_disk(path / "images")
    lists = {"x": [[1.0, 2.0]] * 30 + [[1.0]]}
    library.Dataset.from_dict(lists).save_to_disk(path / "lists")
    images["image"][33] = None
    library.Dataset.from_dict(images, features=features).save_to_disk(path / "holes")
    return path


def test_saved_data_sets(tmp_path: Path, little: Callable[[], None]) -> None:
    saved(tmp_path)
    names = {"table": {}, "arrays": {"labels": "who", "channels": "none"}, "images": {}}
    held = {name: data.load(tmp_path / name, **options) for name, options in names.items()}
    little()
    for name, options in names.items():
        assert_alike(held[name], data.load(tmp_path / name, **options))
    with pytest.raises(DataError, match=r"x must hold arrays of one shape, got \(2,\) in row 0"):
        data.load(tmp_path / "lists", x="x")
    with pytest.raises(DataError, match="image in row 33 is missing"):
        data.load(tmp_path / "holes")


def peak(code: str) -> int:
    """The most memory that a process held, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", code + PEAK], capture_output=True, text=True, check=True
    )
    return 1024 * int(done.stdout.split()[-1])


PEAK = """
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

LOAD = """
import polars, pyarrow.parquet, logging
from pyvae import data
from pyvae.data import memory
if {size}:
    memory.available_memory = lambda: 1000
    data.load({path!r}).train[:10]
"""


@pytest.mark.recorded
@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss")
@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npz"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    """A file of 160 MB of numbers as float32, and more as it is stored."""
    x = RNG.normal(size=(1_000_000, 40)).astype("f4")
    path = tmp_path / name
    if name == "a.npz":
        np.savez_compressed(path, x=x)
    else:
        table = polars.DataFrame(x, schema=[f"c{i}" for i in range(40)])
        table.write_csv(path) if name == "a.csv" else table.write_parquet(path)
    before, after = (peak(LOAD.format(size=size, path=str(path))) for size in (0, 1))
    assert after - before < 150e6, (before, after)
