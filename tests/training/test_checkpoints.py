"""A checkpoint and the one before: whatever happens in between, each is whole under its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from pyvae.errors import RunError
from pyvae.training import checkpoint


def save(path: Path, step: int) -> None:
    checkpoint.save(path, {"w": torch.full((3,), float(step))}, {"step": step}, keep=True)


def steps(path: Path) -> list[int]:
    return [checkpoint.load(one)[1]["step"] for one in (path, checkpoint.before(path))]


def test_the_one_before_is_that_of_the_save_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    for step in range(4):
        save(path, step)
    assert steps(path) == [3, 2]
    assert sorted(p.name for p in tmp_path.iterdir()) == [checkpoint.before(path).name, path.name]


@pytest.mark.parametrize("ends_at", [1, 2])
def test_a_save_that_ends_at_any_rename_leaves_both(
    ends_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one goes on from there."""
    path, renamed, rename = tmp_path / "checkpoint.safetensors", [0], os.replace
    save(path, 0)
    save(path, 1)

    def counted(*names: Any) -> None:
        renamed[0] += 1
        if renamed[0] == ends_at:
            raise KeyboardInterrupt
        rename(*names)

    monkeypatch.setattr(os, "replace", counted)
    with pytest.raises(KeyboardInterrupt):
        save(path, 2)
    assert steps(path) == [1, 0 if ends_at == 1 else 1]
    monkeypatch.undo()
    save(path, 3)
    assert steps(path) == [3, 1]
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".unfinished"]


def test_a_file_system_where_a_file_has_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "checkpoint.safetensors"
    for step in range(3):
        save(path, step)
    assert steps(path) == [2, 1]


def test_a_checkpoint_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "c"
    checkpoint.save(path, {"a": torch.zeros(100)}, {"step": 1})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RunError, match="cut short or damaged"):
        checkpoint.load(path)
    with pytest.raises(RunError, match="missing"):
        checkpoint.load(tmp_path / "missing")
