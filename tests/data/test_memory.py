"""Data that would not fit into memory are refused before they are read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.data import memory
from pyvae.data.memory import available_memory, check_memory
from pyvae.errors import DataError


def test_what_is_available_is_less_than_what_there_is() -> None:
    available = available_memory()
    assert available is None or 0 < available < 2**50


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_limit_of_the_shell_counts() -> None:
    code = """
import resource
from pyvae.data.memory import available_memory
with open("/proc/self/status") as file:
    used = 1024 * int(next(line for line in file if line.startswith("VmSize")).split()[1])
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000, used + 300_000_000))
print(available_memory())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 200_000_000 < int(done.stdout) <= 300_000_000


def test_a_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    for limit, expected in (("5000", 1000), ("3000", 0)):
        (tmp_path / "memory.max").write_text(limit + "\n")
        (tmp_path / "memory.current").write_text("4000\n")
        assert available_memory() == expected
    (tmp_path / "memory.max").write_text("max\n")
    available = available_memory()
    assert available is None or available > 1000


@pytest.mark.parametrize(
    ("size", "said"),
    [(1001, "1 kB"), (8e9, "8 GB"), (12_345_678, "12.3 MB"), (4e21, "4e.03 EB")],
)
def test_sizes_are_said_in_readable_units(
    monkeypatch: pytest.MonkeyPatch, size: float, said: str
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    check_memory(1000, "file", "it")
    with pytest.raises(DataError, match=f"it would take {said} of memory, and 1 kB are available"):
        check_memory(int(size), "file", "it")


def sparse_file(path: Path, rows: int, columns: int, kind: str) -> Path:
    outer = columns if kind.startswith("csc") else rows
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"], group.attrs["shape"] = kind, (rows, columns)
        group["data"], group["indices"] = np.ones(3), np.arange(3)
        group["indptr"] = np.append(0, np.full(outer, 3))
    return path


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix"])
def test_a_sparse_matrix_that_would_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 4_000_000_000)
    path = sparse_file(tmp_path / "cells.h5ad", 50_000, 20_000, kind)
    said = r"X: as a dense matrix, 50000 x 20000 numbers of 4 bytes, .* would take 8 GB of memory"
    with pytest.raises(DataError, match=said):
        data.load(str(path), values="real")


@pytest.mark.parametrize("values", ["levels", "real", "counts"])
def test_what_does_not_fit_lies_in_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, values: str
) -> None:
    """The numbers, the splits and the errors are those of data in memory."""
    x = np.random.default_rng(0).integers(1, 200, (5000, 40)).astype("f4")
    if values == "real":
        x[7, 3] = np.nan
    np.save(tmp_path / "x.npy", x)
    in_memory = data.load(tmp_path / "x.npy", values=values)
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    monkeypatch.setenv("PYVAE_CACHE", str(tmp_path / "cache"))
    on_disk = data.load(tmp_path / "x.npy", values=values)
    assert "do not fit into memory" in caplog.text
    assert list((tmp_path / "cache").iterdir()) == []
    for one, other in zip(in_memory.splits.values(), on_disk.splits.values(), strict=True):
        assert torch.equal(one.x, other.x) and one.extras.keys() == other.extras.keys()
        assert all(torch.equal(one.extras[name], other.extras[name]) for name in one.extras)
        assert torch.equal(one.take(torch.arange(5)).x, other.take(torch.arange(5)).x)
    x[4321, 5] = np.inf
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DataError, match=r"row 4321, column 5|must hold levels"):
        data.load(tmp_path / "x.npy", values=values)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"100 kB are available; the disk of .* has 1 kB"):
        data.load(tmp_path / "x.npy", values=values)


def test_files_that_claim_more_than_they_hold(tmp_path: Path) -> None:
    """A few kilobytes on disk, terabytes in memory."""
    path = tmp_path / "claims.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (10**7, 10**5), "f8", chunks=(1000, 1000))
        file.create_dataset("images", (10**7, 1000, 1000, 3), "u1", chunks=(1, 1000, 1000, 3))
    assert path.stat().st_size < 1e6
    for item, size in (("X", "4 TB"), ("images", "30 TB")):
        with pytest.raises(DataError, match=f"{item}: .* would take {size} of memory"):
            data.load(str(path), x=item)
