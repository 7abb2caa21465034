"""Labels in files: every way in which anndata writes a column, and those that are missing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyvae import data
from pyvae.data import Split
from pyvae.data.fields import Field
from pyvae.data.labels import as_classes
from pyvae.errors import DataError

Read = Callable[..., tuple[Split, "int | None"]]
Labels = Callable[[Path, str], list[int]]
ROWS = 12
STRING = h5py.string_dtype()


@pytest.fixture
def labels(whole: Read) -> Labels:
    def read(path: Path, name: str) -> list[int]:
        y = whole(path, labels=name)[0].y
        assert y is not None
        return [int(n) for n in y]

    return read


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """The layout of anndata 0.12, and two columns as 0.7 and 0.6 wrote them."""
    path = tmp_path / "cells.h5ad"
    with h5py.File(path, "w") as file:
        file["X"] = np.ones((ROWS, 3), dtype=np.float32)
        obs = file.create_group("obs")
        obs.attrs["_index"] = "_index"
        obs["_index"] = [f"cell {i}" for i in range(ROWS)]
        for name, values, kind in (
            ("number", np.arange(ROWS) % 3 * 10, "nullable-integer"),
            ("flag", np.arange(ROWS) % 3 == 0, "nullable-boolean"),
            ("text", np.array(["x", "y", "z"] * 4, dtype=STRING), "nullable-string-array"),
        ):
            group = obs.create_group(name)
            group.attrs["encoding-type"] = kind
            group["values"] = values
            group["mask"] = np.arange(ROWS) % 3 == 1
        kind = obs.create_group("kind")
        kind.attrs["encoding-type"] = "categorical"
        kind["codes"] = np.array([1, 0, -1] * 4, dtype=np.int8)
        kind["categories"] = ["T", "B"]  # not in the order of the alphabet
        nested = obs.create_group("nested")  # categories that can have missing values themselves
        nested["codes"] = np.array([1, 0, -1] * 4, dtype=np.int8)
        categories = nested.create_group("categories")
        categories["values"] = np.array(["T", "B"], dtype=STRING)
        categories["mask"] = np.zeros(2, dtype=bool)
        old = obs.create_group("__categories")
        old["old"] = ["T", "B"]
        obs["old"] = np.array([1, 0, -1] * 4, dtype=np.int8)
        obs["old"].attrs["categories"] = old["old"].ref
        obs["plain"] = np.arange(ROWS) % 2 == 0
        obs["score"] = np.array([0.5, np.nan, -1.0] * 4)
        obs["none"] = np.full(ROWS, np.nan)
        broken = obs.create_group("broken")
        broken["codes"], broken["categories"] = np.full(ROWS, 2), ["T", "B"]
        uneven = obs.create_group("uneven")
        uneven["values"], uneven["mask"] = np.zeros(ROWS), np.zeros(ROWS - 1, dtype=bool)
    return path


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("number", [0, 2, 1]),
        ("flag", [1, 2, 0]),
        ("text", [0, 2, 1]),
        ("kind", [0, 1, 2]),
        ("nested", [0, 1, 2]),
        ("old", [0, 1, 2]),
        ("score", [1, 2, 0]),
    ],
)
def test_missing_labels_are_one_class_that_is_said(
    cells: Path, caplog: pytest.LogCaptureFixture, name: str, classes: list[int], labels: Labels
) -> None:
    """Labels in their own order come first, then the class of the rows without one."""
    with caplog.at_level(logging.WARNING):
        assert labels(cells, name) == classes * 4
    assert caplog.messages == [
        f"{cells}: {name}: 4 of 12 rows have no label; they are one class, 'unlabelled' (class 2)"
    ]


def test_nothing_is_said_where_no_label_is_missing(
    cells: Path, caplog: pytest.LogCaptureFixture, labels: Labels
) -> None:
    assert labels(cells, "plain") == [1, 0] * 6
    assert caplog.messages == []


def test_no_label_at_all(cells: Path, labels: Labels) -> None:
    assert labels(cells, "none") == [0] * ROWS


def test_a_wrong_name_shows_the_right_ones(cells: Path) -> None:
    columns = "broken, flag, kind, nested, none, number, old, plain, score, text, uneven"
    with pytest.raises(DataError, match=f"has no 'cell_type' beside the data; there is {columns}"):
        data.load(str(cells), labels="cell_type")


def test_columns_that_are_no_labels(cells: Path, labels: Labels) -> None:
    with pytest.raises(DataError, match="broken has codes without a category"):
        labels(cells, "broken")
    with pytest.raises(DataError, match=r"uneven has .* values and a mask of"):
        labels(cells, "uneven")
    with pytest.raises(DataError, match="__categories holds no labels"):
        labels(cells, "obs/__categories")
    with pytest.raises(DataError, match="X must hold 12 values, one for each row, got"):
        labels(cells, "X")
    with pytest.raises(DataError, match="holds no labels: its values are complex128"):
        as_classes(Field(np.ones(3, dtype=complex)), "file", 3)


def test_columns_that_anndata_writes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, labels: Labels
) -> None:
    anndata = pytest.importorskip("anndata", reason="needs anndata, to write a file of its own")
    import pandas as pd

    obs = pd.DataFrame(index=[str(i) for i in range(ROWS)])
    obs["kind"] = pd.Categorical(["T", "B", None] * 4)
    obs["number"] = pd.array([10, None, 20] * 4, dtype="Int64")
    obs["flag"] = pd.array([True, None, False] * 4, dtype="boolean")
    obs["text"] = pd.array([None, *(f"t{i:02}" for i in range(1, ROWS))], dtype="string")
    cells = anndata.AnnData(np.ones((ROWS, 3), dtype=np.float32), obs=obs)
    cells.layers["raw"] = cells.X + 1
    path = tmp_path / "cells.h5ad"
    with anndata.settings.override(allow_write_nullable_strings=True):
        cells.write_h5ad(path)
    assert labels(path, "kind") == [1, 0, 2] * 4
    assert labels(path, "number") == [0, 2, 1] * 4
    assert labels(path, "flag") == [1, 2, 0] * 4
    assert labels(path, "text") == [11, *range(11)]
    assert len(caplog.messages) == 4
    assert data.load(str(path), x="layers/raw", labels="kind").train.x.unique().tolist() == [2]
