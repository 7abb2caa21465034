"""Which rows are for what; log1p and standardized values, for any data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.errors import DataError

ROWS = 60


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.npz"
    x = np.arange(2.0 * ROWS).reshape(ROWS, 2)
    part = np.array(["train", "Valid", "test", "train"] * (ROWS // 4))
    np.savez(path, x=x, part=part, y=np.arange(ROWS) % 3)
    return path


def sizes(found: data.DataSplits) -> list[int]:
    return [len(split) for split in found.splits.values()]


def test_every_row_is_in_one_split_with_what_belongs_to_it(numbers: Path) -> None:
    for options in ({}, {"splits": [0.5, 0.25, 0.25]}, {"split": "part"}):
        found = data.load(numbers, **options)
        x = torch.cat([split.x for split in found.splits.values()])
        y = torch.cat([split.y for split in found.splits.values() if split.y is not None])
        assert x[:, 0].sort().values.tolist() == [2.0 * i for i in range(ROWS)]
        assert torch.equal(y, (x[:, 0] / 2).long() % 3)


def test_splits_by_fractions(numbers: Path) -> None:
    assert sizes(data.load(numbers)) == [48, 6, 6]
    assert sizes(data.load(numbers, splits=[0.5, 0.2, 0.3])) == [30, 12, 18]
    for splits in ([0.8, 0.2], [0.8, 0.2, 0.0], [0.8, 0.2, 0.2], [1.2, -0.1, -0.1]):
        with pytest.raises(DataError, match="three positive fractions whose sum is 1"):
            data.load(numbers, splits=splits)
    with pytest.raises(DataError, match="must have at least 100 rows to be split, got 60"):
        data.load(numbers, splits=[0.98, 0.01, 0.01])


def test_splits_by_a_column(numbers: Path) -> None:
    found = data.load(numbers, split="part")
    assert sizes(found) == [30, 15, 15]
    assert (found.valid.x[:, 0] / 2 % 4).unique().tolist() == [1]
    with pytest.raises(DataError, match=r"y must hold train, valid or test .* got '0' in row 0"):
        data.load(numbers, split="y")
    np.savez(numbers, x=np.ones((ROWS, 2)), part=np.array(["train", "test"] * (ROWS // 2)))
    assert sizes(data.load(numbers, split="part")) == [27, 3, 30]  # a tenth of those for training
    np.savez(numbers, x=np.ones((ROWS, 2)), part=np.array(["test"] * ROWS))
    with pytest.raises(DataError, match="holds no row for training"):
        data.load(numbers, split="part")


def test_splits_by_files(numbers: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, x=np.zeros((7, 2)), y=np.full(7, 5))
    found = data.load(numbers, valid=str(other))
    assert sizes(found) == [54, 7, 6] and found.classes == ("0", "1", "2", "5")
    assert bool((found.valid.x == 0).all()) and found.valid.y is not None
    assert found.valid.y.unique().tolist() == [3]
    with pytest.raises(DataError, match="its parts are the splits already"):
        data.load(numbers, valid=str(other), split="part")
    np.savez(other, x=np.zeros((7, 3)), y=np.zeros(7))
    with pytest.raises(DataError, match=r"one shape, got \(2,\) in .* \(3,\) in"):
        data.load(numbers, valid=str(other))
    with pytest.raises(DataError, match=r"nowhere\.npz does not exist"):
        data.load(numbers, test=str(tmp_path / "nowhere.npz"))


def test_standardized_values(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    x = np.random.default_rng(0).normal(50, 7, (ROWS, 3))
    x[:, 2] = 4
    np.save(path, x)
    found = data.load(path, standardize=True)
    assert found.scale is not None
    torch.testing.assert_close(found.train.x.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    std = found.train.x.std(0, correction=0)
    torch.testing.assert_close(std, torch.tensor([1.0, 1, 0]), atol=1e-5, rtol=0)
    mean, scale = found.scale
    plain = data.load(path)
    torch.testing.assert_close(found.test.x * scale + mean, plain.test.x)


def test_missing_values_do_not_count(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(50, 7, (ROWS, 2))
    x[::3, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    found = data.load(tmp_path / "x.npy", standardize=True)
    mask = found.train.extras["mask"]
    seen = found.train.x[:, 0][mask[:, 0]]
    assert seen.mean().item() == pytest.approx(0, abs=1e-5)
    assert seen.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert bool((found.train.x[~mask] == 0).all())


def test_only_numbers_of_a_table_are_standardized(tmp_path: Path) -> None:
    lines = [f"{i},{'ab'[i % 2]},{i % 2},{i % 5}" for i in range(ROWS)]
    (tmp_path / "a.csv").write_text("\n".join(["x,city,bit,visits", *lines]))
    found = data.load(tmp_path / "a.csv", standardize=True, log1p=True)
    kinds = [column.kind for column in found.columns]
    assert kinds == ["real", "categories", "bits", "real"]
    assert found.train.x[:, 1].unique().tolist() == [0, 1] == found.train.x[:, 2].unique().tolist()
    assert found.train.x[:, 0].mean().item() == pytest.approx(0, abs=1e-5)


def test_log1p(tmp_path: Path) -> None:
    x = np.random.default_rng(0).poisson(3.0, (ROWS, 4)) + 1
    np.save(tmp_path / "x.npy", x)
    plain, logs = (data.load(tmp_path / "x.npy", log1p=flag) for flag in (False, True))
    assert torch.equal(logs.train.x, plain.train.x.log1p())
    assert torch.equal(logs.train.extras["library"], plain.train.extras["library"])
    np.save(tmp_path / "x.npy", x - 2.5)
    with pytest.raises(DataError, match="log1p needs values of at least 0"):
        data.load(tmp_path / "x.npy", log1p=True)


def test_any_data_set_takes_them_where_they_make_sense() -> None:
    points = data.load("toy2d", n=100, standardize=True)
    assert points.train.x.mean().item() == pytest.approx(0, abs=1e-5)
    for what in ("standardize", "log1p"):
        with pytest.raises(DataError, match=f"digits has levels from 0 to 16; {what}=true is for"):
            data.load("digits", **{what: True})
        with pytest.raises(TypeError, match=f"{what} must be true or false, got 'yes'"):
            data.load("digits", **{what: "yes"})
