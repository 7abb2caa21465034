"""Counts from HDF5 files: what is read, and that nothing wrong is half loaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.cli import main
from pyvae.data import Split
from pyvae.errors import DataError, MissingExtraError

Read = Callable[..., tuple[Split, "int | None"]]
RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(1.0, (40, 7)) * (RNG.random((40, 7)) < 0.6) + np.eye(40, 7)[::-1] * 2
COUNTS[:, 0] += 1


def write(path: Path, x: np.ndarray, y: object = None) -> Path:
    with h5py.File(path, "w") as file:
        file["X"] = x
        if y is not None:
            file["Y"] = y
    return path


def write_sparse(path: Path, x: np.ndarray, kind: str, attribute: str = "encoding-type") -> Path:
    from scipy import sparse

    s = sparse.csr_matrix(x) if kind == "csr_matrix" else sparse.csc_matrix(x)
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group["data"], group["indices"], group["indptr"] = s.data, s.indices, s.indptr
        group.attrs[attribute] = kind
        group.attrs["shape" if attribute == "encoding-type" else "h5sparse_shape"] = x.shape
        obs = file.create_group("obs")
        column = obs.create_group("cell_type")
        column["categories"] = ["B", "T", "NK"]
        column["codes"] = np.arange(len(x)) % 3
        obs["batch"] = [f"b{i % 2}" for i in range(len(x))]
        file.create_group("layers")["raw"] = x + 1
    return path


def test_the_cells_of_the_published_file(data_dir: Path) -> None:
    cells = data.load("pbmc", data_dir)
    assert cells.name == "pbmc" and cells.levels is None
    assert [len(s) for s in (cells.train, cells.valid, cells.test)] == [3417, 427, 427]
    assert cells.data_shape == (2000,)
    assert torch.equal(cells.train.extras["library"], cells.train.x.sum(1))
    assert cells.train.y is not None and cells.train.y.unique().tolist() == list(range(8))
    again = data.load("pbmc", data_dir)
    assert torch.equal(cells.test.x, again.test.x)
    logs = data.load("pbmc", data_dir, log1p=True)
    assert torch.equal(logs.test.x, cells.test.x.log1p())
    every = torch.cat([cells.train.x, cells.valid.x, cells.test.x])
    with h5py.File(data_dir / "scrna" / "10X_PBMC_top2000.h5") as file:
        np.testing.assert_allclose(every.double().sum(0), file["X"][()].astype(float).sum(0))


def test_cells_of_less_depth(data_dir: Path) -> None:
    whole, some = data.load("pbmc", data_dir), data.load("pbmc", data_dir, keep=0.25)
    assert torch.equal(some.test.x, data.load("pbmc", data_dir, keep=0.25).test.x)
    x, kept = whole.train.x, some.train.x
    assert (kept <= x).all() and torch.equal(kept, kept.round())
    assert torch.equal(some.train.extras["library"], kept.sum(1))
    # Sums over cells are binomial too; five standard deviations, as 2000 genes are looked at.
    expected = 0.25 * x.double().sum(0)
    assert ((kept.double().sum(0) - expected).abs() < 5 * (0.75 * expected).sqrt() + 1).all()
    logs = data.load("pbmc", data_dir, log1p=True, keep=0.25)
    assert torch.equal(logs.train.x, kept.log1p())
    for keep in (0.0, 1.5, -1.0):
        with pytest.raises(DataError, match=r"keep must be above 0 and at most 1"):
            data.load("pbmc", data_dir, keep=keep)
    with pytest.raises(DataError, match=r"keep=0.0001"):
        data.load("pbmc", data_dir, keep=1e-4)


@pytest.mark.parametrize("dtype", ["int32", "uint16", "float64", "float32"])
def test_dense_files_of_any_type(tmp_path: Path, dtype: str) -> None:
    path = write(tmp_path / "cells.h5", COUNTS.astype(dtype), [5 + i % 3 for i in range(40)])
    cells = data.load(str(path))
    assert (cells.name, cells.data_shape) == ("cells", (7,))
    assert [len(s) for s in (cells.train, cells.valid, cells.test)] == [32, 4, 4]
    rows = torch.cat([cells.train.x, cells.valid.x, cells.test.x])
    np.testing.assert_allclose(np.sort(rows.numpy(), 0), np.sort(COUNTS, 0))
    assert cells.train.y is not None and cells.train.y.unique().tolist() == [0, 1, 2]
    again = data.load(str(path))
    assert torch.equal(cells.train.x, again.train.x) and torch.equal(cells.test.x, again.test.x)


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix"])
@pytest.mark.parametrize("attribute", ["encoding-type", "h5sparse_format"])
def test_sparse_files_with_annotations(
    tmp_path: Path, kind: str, attribute: str, whole: Read
) -> None:
    path = write_sparse(tmp_path / "cells.h5ad", COUNTS, kind, attribute)
    rows, levels = whole(path)
    np.testing.assert_array_equal(rows.x, COUNTS)
    assert rows.y is None and levels is None
    y = whole(path, labels="cell_type")[0].y
    assert y is not None and y[:4].tolist() == [0, 2, 1, 0]  # in the order of B, NK, T
    y = whole(path, labels="batch")[0].y
    assert y is not None and y[:3].tolist() == [0, 1, 0]
    cells = data.load(str(path), x="layers/raw", labels="cell_type")
    assert cells.train.x.min() == 1


def test_real_values(tmp_path: Path) -> None:
    path = write(tmp_path / "reals.hdf5", COUNTS - 0.5)
    reals = data.load(str(path), values="real")
    assert reals.train.extras == {} and reals.train.x.min() < 0


def test_counts_that_a_correction_made_fractional(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.h5", COUNTS * 0.37)
    with pytest.raises(DataError, match=r"values=corrected takes fractions of at least 0"):
        data.load(str(path))
    cells = data.load(str(path), values="corrected")
    assert torch.equal(cells.train.extras["library"], cells.train.x.sum(1))
    for bad, said in ((-0.1, "got -0.1 in row 7"), (np.nan, "got nan in row 7"), (0, "row 7 has")):
        x = COUNTS * 0.37
        x[7] = bad
        with pytest.raises(DataError, match=said):
            data.load(str(write(path, x)), values="corrected")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x.__setitem__((3, 4), -2), "got -2 in row 3, column 4"),
        (lambda x: x.__setitem__((39, 0), 0.5), "got 0.5 in row 39, column 0"),
        (lambda x: x.__setitem__((0, 6), np.nan), "got nan in row 0, column 6"),
        (lambda x: x.__setitem__((0, 6), np.inf), "got inf in row 0, column 6"),
        (lambda x: x.__setitem__((0, 6), 2.0**24 + 1), "got 1.67772e.07 in row 0"),
        (lambda x: x.__setitem__(5, 0), "row 5 has no counts at all"),
    ],
)
def test_what_are_no_counts(tmp_path: Path, change: object, said: str) -> None:
    x = COUNTS.astype(float)
    change(x)  # type: ignore[operator]
    path = write(tmp_path / "bad.h5", x)
    with pytest.raises(DataError, match=said) as caught:
        data.load(str(path))
    assert str(path) in str(caught.value)


def test_files_that_are_damaged_or_something_else(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.h5", np.tile(COUNTS, (100, 1)), np.zeros(4000))
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cells\.h5 is damaged or not an HDF5 file"):
            data.load(str(path))
    with pytest.raises(DataError, match="does not exist"):
        data.load(str(tmp_path / "none.h5"))
    write(path, COUNTS)
    with pytest.raises(DataError, match=r"has no 'counts'; it holds X"):
        data.load(str(path), x="counts")
    with pytest.raises(DataError, match=r"has no 'types' beside the data; there is nothing"):
        data.load(str(path), labels="types")
    with pytest.raises(DataError, match=r"Y must hold 40 values, one for each row, got \(39,"):
        data.load(str(write(path, COUNTS, np.zeros(39))))
    with pytest.raises(DataError, match=r"must be an array of numbers, got \(40,\) object"):
        data.load(str(write(path, np.array(["a"] * 40, dtype=h5py.string_dtype()))))
    with pytest.raises(DataError, match="at least 10 rows"):
        data.load(str(write(path, COUNTS[:9])))
    with pytest.raises(DataError, match=r"is empty: \(0, 7\)"):
        data.load(str(write(path, COUNTS[:0])))
    with pytest.raises(
        DataError, match="values must be counts, corrected, levels or real, got 'ints'"
    ):
        data.load(str(path), values="ints")


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("indptr", np.arange(39), "do not belong together"),
        ("indices", np.full(3, 99), "do not belong together"),
        ("data", None, "is neither an array nor a sparse matrix: it has no 'data'"),
        ("indptr", np.zeros(41, int)[::-1] - 1, "do not belong together"),
    ],
)
def test_sparse_files_that_do_not_fit_together(
    tmp_path: Path, part: str, value: object, said: str
) -> None:
    path = write_sparse(tmp_path / "cells.h5ad", COUNTS, "csr_matrix")
    with h5py.File(path, "a") as file:
        del file["X"][part]
        if value is not None:
            file["X"][part] = value
    with pytest.raises(DataError, match=said):
        data.load(str(path))


def test_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "cells.h5", COUNTS)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pyvae-fused\[train\]"'):
        data.load(str(path))


@pytest.mark.parametrize("likelihood", ["negative_binomial", "zero_inflated_negative_binomial"])
def test_training_on_a_file_of_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], likelihood: str
) -> None:
    path, out = write(tmp_path / "cells.h5", COUNTS), tmp_path / "run"
    small = ["--steps", "3", "--batch-size", "8", "--eval-samples", "2", "--quiet"]
    train = ["train", "--dataset", str(path), "--out", str(out), *small]
    assert main(train) == 2
    assert "Likelihoods that fit cells: " in capsys.readouterr().err
    assert main([*train, "--likelihood", likelihood, "--init-output"]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["log_likelihood"] < 0 and results["bits_per_dim"] > 0
    assert main(["evaluate", str(out), "--samples", "2"]) == 0
    values = tmp_path / "values.npy"
    for command in (["sample"], ["sample", "--draw"], ["reconstruct"]):
        assert main([*command, str(out), "-n", "6", "--out", str(values)]) == 0
        drawn = np.load(values)
        assert np.isfinite(drawn).all() and drawn.min() >= 0


# Points of the plane


@pytest.mark.parametrize(
    "name", ["ring", "two_moons", "pinwheel", "eight_gaussians", "checkerboard"]
)
def test_points_of_the_plane(name: str) -> None:
    points = data.load("toy2d", name=name, n=2000)
    assert points.data_shape == (2,) and len(points.train) == 1600
    assert points.train.x.isfinite().all()
    again, other = (data.load("toy2d", name=name, n=2000, seed=s) for s in (0, 1))
    assert torch.equal(points.test.x, again.test.x)
    assert not torch.equal(points.test.x, other.test.x)


def test_laws_of_the_points() -> None:
    """Where they must lie, and where none may."""

    def points(name: str) -> torch.Tensor:
        return data.load("toy2d", name=name, n=20_000).train.x

    radius = points("ring").norm(dim=1)  # 1 + |z| / 10, and |z| has the mean sqrt(pi / 2)
    assert radius.min() > 1
    assert radius.mean().item() == pytest.approx(1 + (torch.pi / 2) ** 0.5 / 10, abs=2e-3)
    x = points("checkerboard")
    assert x.abs().max() <= 2
    assert bool(((x.floor().sum(1) % 2) == 0).all())
    x = points("eight_gaussians")
    assert x.mean(0).abs().max() < 0.05
    assert x.norm(dim=1).mean().item() == pytest.approx(2, abs=0.05)
    turn = torch.tensor(2 * torch.pi / 5)
    x = points("pinwheel")  # a fifth of a turn changes nothing
    turned = x @ torch.stack([turn.cos(), turn.sin(), -turn.sin(), turn.cos()]).view(2, 2)
    assert torch.allclose(x.T @ x, turned.T @ turned, rtol=0.05, atol=0.05 * len(x))
    x = points("two_moons")
    assert torch.allclose(x.mean(0), torch.tensor([0.5, 0.25]), atol=0.03)


def test_unknown_points() -> None:
    with pytest.raises(DataError, match=r"unknown name 'rings'\. Choices: ring, two_moons"):
        data.load("toy2d", name="rings")
    with pytest.raises(DataError, match="n must be at least 10, got 3"):
        data.load("toy2d", n=3)
