"""How much memory there is, and data that would fit nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

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


def test_columns_of_a_sparse_matrix_that_cannot_be_turned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.h5ad"
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"], group.attrs["shape"] = "csc_matrix", (50_000, 20_000)
        group["data"], group["indices"] = np.ones(30_000), np.arange(30_000)
        group["indptr"] = np.append(0, np.full(20_000, 30_000))
    monkeypatch.setattr(memory, "available_memory", lambda: 1_000_000)
    said = "X: turning the columns of the sparse matrix into rows would take 1.92 MB of memory"
    with pytest.raises(DataError, match=said):
        data.load(str(path), values="real")


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
