"""Tables: the kinds of columns that are found, what is missing, and the place of what is wrong."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.cli import main
from pyvae.data.columns import Column
from pyvae.data.typed import typed
from pyvae.errors import DataError, MissingExtraError

polars = pytest.importorskip("polars", reason='needs polars: pip install "pyvae-fused[tables]"')

ROWS = 40
RNG = np.random.default_rng(0)


def frame() -> polars.DataFrame:  # type: ignore[name-defined]
    return polars.DataFrame(
        {
            "height": RNG.normal(170, 10, ROWS),
            "alive": [i % 2 == 0 for i in range(ROWS)],
            "bit": [i % 2 for i in range(ROWS)],
            "visits": [i % 7 for i in range(ROWS)],
            "change": [i - 20 for i in range(ROWS)],
            "city": [("Rome", "Oslo", "Lima")[i % 3] for i in range(ROWS)],
            "who": [f"person {i}" for i in range(ROWS)],
        }
    )


def write(path: Path, table: polars.DataFrame) -> Path:  # type: ignore[name-defined]
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path, separator="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("name", ["people.csv", "people.tsv", "people.parquet", "PEOPLE.CSV"])
def test_columns_are_found(tmp_path: Path, name: str) -> None:
    table = frame()
    path = write(tmp_path / name, table)
    if name == "PEOPLE.CSV":
        path.write_text(path.read_text().replace(",", ";"))
    found = data.load(path, drop="who")
    # text has no booleans that are certain: polars finds them all the same
    assert found.columns == (
        Column("height", "real"),
        Column("alive", "bits"),
        Column("bit", "bits"),
        Column("visits", "counts"),
        Column("change", "real", whole=True),
        Column("city", "categories", ("Lima", "Oslo", "Rome")),
    )
    assert found.levels is None and found.train.x.dtype == torch.float32
    x = torch.cat([split.x for split in found.splits.values()])
    expected = table["height"].to_numpy()
    np.testing.assert_allclose(np.sort(x[:, 0]), np.sort(expected), rtol=1e-6)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0))
    cities = np.array(["Lima", "Oslo", "Rome"])[found.train.x[:, 5].long()]
    assert cities.tolist() == table["city"].to_numpy()[order[:32]].tolist()


def test_labels_and_kinds_that_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "people.csv", frame())
    found = data.load(path, drop=["who"], labels="city", categories="visits", counts="bit")
    assert found.classes == ("Lima", "Oslo", "Rome")
    kinds = {column.name: column.kind for column in found.columns}
    assert kinds == {
        **{"height": "real", "alive": "bits", "bit": "counts", "visits": "categories"},
        "change": "real",
    }
    with pytest.raises(DataError, match=r"change must hold whole numbers .* got -20 in row 0"):
        data.load(path, drop="who", counts="change")
    with pytest.raises(DataError, match=r"city \(real\) holds numbers but for 'Rome' in row 0"):
        data.load(path, drop="who", real="city")
    with pytest.raises(DataError, match="has no column 'shoes'; it has height, alive"):
        data.load(path, drop="shoes")
    with pytest.raises(DataError, match="'bit' is said to be real and counts"):
        data.load(path, real="bit", counts="bit")


def test_missing_values_are_masked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = (
        frame()
        .drop("who")
        .with_columns(
            polars.when(polars.col("visits") == 3)
            .then(None)
            .otherwise(polars.col("city"))
            .alias("city"),
            polars.when(polars.col("visits") == 4)
            .then(None)
            .otherwise(polars.col("bit"))
            .alias("bit"),
        )
    )
    for name in ("a.csv", "a.parquet"):
        found = data.load(write(tmp_path / name, table))
        mask = torch.cat([split.extras["mask"] for split in found.splits.values()])
        x = torch.cat([split.x for split in found.splits.values()])
        assert mask.dtype == torch.bool and mask.shape == x.shape
        assert (~mask).sum(0).tolist() == [0, 0, 6, 0, 0, 6]  # what 3 and 4 are of 40 numbers mod 7
        assert bool((x[~mask] == 0).all()) and not bool(x.isnan().any())
        assert found.columns[2].kind == "bits" and found.columns[5].categories[0] == "Lima"
    assert "5 % of the values are missing; they are masked" in caplog.text
    text = (tmp_path / "a.csv").read_text()
    for word in ("NA", "nan", "?", "null"):
        (tmp_path / "a.csv").write_text(text.replace(",,", f",{word},"))
        assert "mask" in data.load(tmp_path / "a.csv").train.extras


def test_names_of_rows_are_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are categories, of which a model learns nothing."""
    path = write(tmp_path / "people.csv", frame())
    notes = {column.name: column.note for column in data.load(path).columns}
    assert notes["who"] == "each but once: drop=who leaves it out" and notes["city"] == ""
    assert data.load(path, categories="who").columns[-1].note == ""
    assert main(["data", str(path)]) == 0
    assert "(each but once: drop=who leaves it out)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_any_name_of_a_column_will_do(tmp_path: Path, name: str) -> None:
    """Also one that begins as another does, as a field of a structure would."""
    names = ["a.b", "a", "of spring, 2020", "größe"]
    table = polars.DataFrame({n: RNG.normal(size=ROWS) for n in names})
    path = write(tmp_path / name, table)
    found = data.load(path, drop="a.b", splits=[0.5, 0.25, 0.25])
    assert [column.name for column in found.columns] == names[1:]
    rows = table.select(names[1:]).to_numpy()[found.rows["train"]].astype("f4")
    np.testing.assert_array_equal(found.train.x, rows)


def test_a_table_of_pixels(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (ROWS, 12))
    path = tmp_path / "pixels.csv"
    head = ",".join(["label", *(f"p{i}" for i in range(12))])
    rows = np.column_stack([np.arange(ROWS) % 10, pixels])
    np.savetxt(path, rows, "%d", ",", header=head, comments="")
    found = data.load(path, labels="label", levels=255, shape=[1, 3, 4])
    assert (found.data_shape, found.levels, found.train.x.dtype) == ((1, 3, 4), 255, torch.uint8)
    assert found.columns == () and len(found.classes) == 10
    with pytest.raises(DataError, match="shape=1,3,5 needs 15 numbers in each row, got 12"):
        data.load(path, labels="label", levels=255, shape=[1, 3, 5])
    with pytest.raises(DataError, match=r"must hold levels \(whole numbers from 0 to 16\)"):
        data.load(path, labels="label", levels=16)
    found = data.load(path, labels="label", values="counts")
    assert torch.equal(found.train.extras["library"], found.train.x.sum(1))


def test_a_table_of_bits_is_binary(tmp_path: Path) -> None:
    path = write(tmp_path / "bits.csv", frame().select("alive", "bit"))
    assert data.load(path).levels == 1


BIG = 20_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,abc,x", "b holds numbers but for 'abc' in row 17000"),
        ("1,2", "line 17002 has 2 values where the first has 3"),
        ("1,2,x,4", "line 17002 has 4 values where the first has 3"),
        ("1,inf,x", "b must hold finite numbers, got inf in row 17000"),
        ("1,\udcff\udcfe,x", "line 17002 is not UTF-8 text"),
    ],
)
def test_a_bad_row_deep_in_a_file(tmp_path: Path, line: str, said: str) -> None:
    """Rows are counted from 0, lines from 1, and the first line holds the names."""
    lines = ["a,b,c", *[f"{i},{i / 2},{'xyz'[i % 3]}" for i in range(BIG)]]
    lines[17001] = line
    path = tmp_path / "long.csv"
    path.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=said) as caught:
        data.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_bad_row_a_million_rows_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("a,b,c\n" + "1,2.5,3\n" * 1_000_000 + "1,2.5\n" + "1,2.5,3\n" * 1000)
    with pytest.raises(DataError, match="line 1000002 has 2 values where the first has 3"):
        data.load(path)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text, said in (
        ("", "is empty"),
        ("a,b\n", "is empty: 0 rows of 2 columns"),
        ("1,2\n" * 20, "first row holds numbers .* header=false"),
        ("a,b\n" + "1,\n" * 20, "b holds no value at all; leave it out with drop=b"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            data.load(path)
    path.write_text("1,2\n" * 20)
    assert data.load(path, header=False).data_shape == (2,)
    table = polars.DataFrame({"day": [datetime.date(2020, 1, 1)] * 20, "x": range(20)})
    with pytest.raises(
        DataError,
        match=r"day holds Date, of which .*; leave it out with drop=day",
    ):
        data.load(write(tmp_path / "days.parquet", table))
    table = polars.DataFrame({"who": [f"person {i}" for i in range(1001)]})
    with pytest.raises(
        DataError, match="who holds 1001 different texts: leave it out with drop=who"
    ):
        data.load(write(tmp_path / "many.parquet", table))
    assert len(data.load(tmp_path / "many.parquet", categories="who").columns[0].categories) == 1001


def test_damaged_parquet_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", frame())
    content = path.read_bytes()
    damaged = [content[: len(content) // 2], content[:-1], b"", b"PAR1" + bytes(100) + b"PAR1"]
    for start in range(100, len(content) - 50, len(content) // 12):
        damaged.append(content[:start] + bytes([255]) * 40 + content[start + 40 :])
    refused = 0
    for one in damaged:
        path.write_bytes(one)
        try:
            data.load(path, drop="who")
        except DataError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    assert refused >= 5  # a byte of a number may be any other


def test_tables_that_are_split(tmp_path: Path) -> None:
    """Categories are those of all files; what is missing in one has a mask in all."""
    a = polars.DataFrame({"n": range(20), "city": ["Rome", "Oslo"] * 10})
    b = polars.DataFrame({"n": [0.5, None, 2.0], "city": ["Lima", None, "Oslo"]})
    for name, table in (("train", a), ("test", b)):
        table.write_csv(tmp_path / f"{name}.csv")
    by_folder = data.load(tmp_path)
    by_option = data.load(tmp_path / "train.csv", test=str(tmp_path / "test.csv"))
    for found in (by_folder, by_option):
        assert [len(split) for split in found.splits.values()] == [18, 2, 3]
        assert found.columns == (
            Column("n", "real"),
            Column("city", "categories", ("Lima", "Oslo", "Rome")),
        )
        assert found.test.x.tolist() == [[0.5, 0], [0, 0], [2, 1]]
        assert found.test.extras["mask"].tolist() == [[True, True], [False, False], [True, True]]
        assert found.train.x[:, 1].unique().tolist() == [1, 2]
        assert bool(found.train.extras["mask"].all())
    b.rename({"n": "number"}).write_csv(tmp_path / "test.csv")
    with pytest.raises(DataError, match="they differ in n, number"):
        data.load(tmp_path)


def test_without_polars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.csv", frame())
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pyvae-fused\[tables\]"'):
        data.load(path)


@pytest.mark.parametrize(
    ("draw", "kind", "note"),
    [
        (lambda r: r.poisson(1.5, 2000), "counts", ""),
        (lambda r: r.poisson(r.gamma(2.0, 2.0, 2000)), "counts", ""),  # as latents explain
        (lambda r: r.integers(18, 90, 2000), "real", "their mean is 5"),
        (lambda r: r.integers(2007, 2010, 2000), "real", "their mean is 2.01e+03"),
        (
            lambda r: r.negative_binomial(0.05, 0.01, 2000),
            "real",
            "times their mean",
        ),
        (lambda r: r.integers(4, 6, 2000), "real", "variance is 0.055 times their mean"),
        (lambda r: r.integers(0, 2, 2000), "bits", ""),
        (lambda r: r.integers(-3, 3, 2000), "real", ""),
    ],
)
def test_whole_numbers_are_counts_where_a_poisson_may_explain_them(
    tmp_path: Path, draw: Any, kind: str, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = draw(np.random.default_rng(0))
    path = write(tmp_path / "a.csv", polars.DataFrame({"a": values, "b": values / 7 + 0.01}))
    (column, other) = data.load(path).columns
    assert column.kind == kind and note in column.note and bool(column.note) == bool(note)
    assert column.whole == (kind == "real") and not other.whole
    assert main(["data", str(path)]) == 0
    assert note in capsys.readouterr().out
    forced = data.load(path, counts="a") if values.min() >= 0 else data.load(path, real="a")
    assert forced.columns[0].note == ""


def test_rows_of_a_model_are_whole_numbers_where_those_of_the_file_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = polars.DataFrame({"age": rng.integers(18, 90, 50), "height": rng.normal(size=50)})
    for options in ({}, {"standardize": True}):
        found = data.load(write(tmp_path / "a.csv", frame), **options)
        rows = typed(found.test.x + 1e-3, found)
        ages = frame["age"].to_numpy()[found.rows["test"]]
        assert rows["age"].dtype == np.int64 and (rows["age"] == ages).all()
        assert rows["height"].dtype == np.float64
    logs = data.load(tmp_path / "a.csv", log1p=True, real="age", drop="height")
    assert not logs.columns[0].whole


def test_parts_that_look_different_are_of_one_kind(tmp_path: Path) -> None:
    for name, rate in (("train", 2.0), ("test", 90.0)):
        values = np.random.default_rng(0).poisson(rate, 100)
        write(tmp_path / f"{name}.csv", polars.DataFrame({"a": values, "b": values % 2}))
    found = data.load(tmp_path)
    assert [(c.kind, c.whole) for c in found.columns] == [("real", True), ("bits", False)]
    assert "their mean is" in found.columns[0].note
