"""``pyvae data``: what is said of data before any training; readers of other packages."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.cli import main
from pyvae.data.readers import Reader, Rows
from pyvae.data.summary import summarize
from pyvae.registry import readers

RNG = np.random.default_rng(0)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pytest.importorskip("polars", reason='needs polars: pip install "pyvae-fused[tables]"')
    path = tmp_path / "people.csv"
    lines = [f"{150 + i},{'ab'[i % 2]},{i % 4}," for i in range(39)]
    path.write_text("\n".join(["height,city,visits,weight", *lines, "190,b,3,70.5"]))
    return path


def test_a_table_in_text(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(table), "--dataset-args", "labels=city"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "people: 40 rows of 3, float32"
    words = [line.split() for line in lines]
    for expected in (
        "splits train 32, valid 4, test 4",
        "missing 32.5 % of the values",
        "side inputs mask",
        "classes 2: a 20, b 20",
        "height real 150 to 190 (whole numbers, no counts: their mean is 170)",
        "visits counts 0 to 3",
        "weight real 70.5 to 70.5, 97.5 % missing",
    ):
        assert expected.split() in words, expected
    assert any(line.startswith("  suggested") for line in lines)


def test_figures_are_those_of_the_data(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(table), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == {"train": 32, "valid": 4, "test": 4} and found["shape"] == [4]
    assert found["columns"][1]["categories"] == ["a", "b"]
    assert found["missing"] == pytest.approx(39 / 160)
    digits = data.load("digits", conditions="label")
    summary = summarize(digits)
    x = torch.cat([split.x for split in digits.splits.values()])
    assert (summary.low, summary.high, summary.levels) == (0, 16, 16)
    assert summary.memory == x.numel() + 1797 * 8 + 1797 * 11 * 4
    assert sum(summary.classes.values()) == 1797 and len(summary.conditions) == 11


@pytest.mark.parametrize(
    ("name", "options", "suggested"),
    [
        ("digits", [], "bernoulli"),
        ("toy2d", ["n=100"], "gaussian"),
        ("counts.npy", [], "negative_binomial"),
        ("photos.npy", [], "discretized_logistic"),
    ],
)
def test_what_is_suggested_fits(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    options: list[str],
    suggested: str,
) -> None:
    np.save(tmp_path / "counts.npy", RNG.poisson(3.0, (40, 5)) + 1)
    np.save(tmp_path / "photos.npy", RNG.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))
    path = str(tmp_path / name) if name.endswith("npy") else name
    more = ["--dataset-args", *options] if options else []
    assert main(["data", path, *more, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["suggested"] == suggested and suggested in found["likelihoods"]


def test_pictures(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pillow = pytest.importorskip("PIL.Image")
    np.save(tmp_path / "counts.npy", RNG.poisson(3.0, (40, 5)) + 1)
    np.save(tmp_path / "real.npy", RNG.normal(size=(40, 1, 6, 5)))
    target = tmp_path / "figure.png"
    for name in ("digits", "toy2d", str(table), *map(str, tmp_path.glob("*.npy"))):
        target.unlink(missing_ok=True)
        assert main(["data", name, "--out", str(target)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(target)
        with pillow.open(target) as image:
            assert len(np.unique(np.asarray(image.convert("L")))) > 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.csv"], "nowhere.csv does not exist"),
        (["digit"], "unknown dataset 'digit'; did you mean 'digits'?"),
        (["digits", "--out", "a.jpg"], "--out must end in .png, got a.jpg"),
        (["digits", "--out", "nowhere/a.png"], "cannot write nowhere/a.png"),
        (["digits", "--dataset-args", "size=3"], "dataset 'digits' has no option 'size'"),
        (["digits", "--dataset-args", "conditions=age"], "digits has no condition 'age'"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"pyvae: error: {said}") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "my fotos"]) == 2
    assert "nor is there a file or folder 'my fotos'" in capsys.readouterr().err


class Lines(Reader):
    """Numbers, one to a line: a reader as another package would bring it."""

    suffixes = (".lines",)

    def __init__(self, *, factor: float = 1.0) -> None:
        self.factor = factor

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        yield Rows(np.loadtxt(path) * self.factor, str(path))


def test_a_reader_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lines"
    np.savetxt(path, np.arange(20.0))
    monkeypatch.setattr(readers, "_parts", {**readers._parts, "lines": Lines})
    found = data.load(path, factor=2, standardize=False)
    assert found.data_shape == (1,) and found.train.x.max() == 38
    with pytest.raises(TypeError, match=r"'lines' have no option 'facto'; did you mean 'factor'"):
        data.load(path, facto=2)
