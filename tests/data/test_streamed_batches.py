"""Minibatches of rows that stay in their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from row_files import COLUMNS, npy, whole

from pyvae import data
from pyvae.data import Batches, stored, windows


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "BLOCK", 5 * 4 * COLUMNS)  # five rows
    monkeypatch.setattr(windows, "BLOCKS", 4)
    monkeypatch.setattr(stored, "_AT_ONCE", 5 * 4 * COLUMNS)


def epoch(batches: Batches) -> Iterator[torch.Tensor]:
    for _ in range(batches.steps_per_epoch):
        yield batches.next().x[:, 0]


def test_an_epoch_visits_each_row_once_in_shuffled_blocks(
    tmp_path: Path, small_blocks: None
) -> None:
    train = data.load(npy(tmp_path), streaming=True, values="real").train
    batches = Batches(train, 7, seed=0)
    first, second = (torch.cat(list(epoch(batches))) for _ in range(2))
    rows = whole(train).x[:, 0].contiguous()
    assert torch.equal(first.sort().values, rows) and torch.equal(second.sort().values, rows)
    assert not torch.equal(first, second)
    again = torch.cat(list(epoch(Batches(train, 7, seed=0))))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.cat(list(epoch(Batches(train, 7, seed=1)))))
    # a window is the rows of four blocks of five neighbours, in any order
    places = torch.searchsorted(rows, first)
    assert len((places[:20] // 5).unique()) == 4 and not torch.equal(
        places[:20], places[:20].sort()[0]
    )


@pytest.mark.parametrize("steps", [0, 3, 9, 26, 27, 40])
def test_batches_can_be_left_and_taken_up(tmp_path: Path, small_blocks: None, steps: int) -> None:
    train = data.load(npy(tmp_path), streaming=True, values="real").train
    one, other = Batches(train, 7, seed=3), Batches(train, 7, seed=3)
    for _ in range(steps):
        one.next()
    other.load_state_dict(one.state_dict())
    for _ in range(30):
        assert one.next_rows == other.next_rows
        assert torch.equal(one.next().x, other.next().x)


def test_a_batch_in_parts(tmp_path: Path, small_blocks: None) -> None:
    train = data.load(npy(tmp_path), streaming=True, values="real").train
    one, other = Batches(train, 25, seed=3), Batches(train, 25, seed=3)
    for _ in range(10):
        first, second = other.next_parts(2)
        assert torch.equal(one.next().x, torch.cat([first.x, second.x]))


def test_a_batch_keeps_its_rows_while_others_are_read(tmp_path: Path, small_blocks: None) -> None:
    """Windows are written over; batches, some of which lie in two windows, are not."""
    train = data.load(npy(tmp_path), streaming=True, values="real").train
    batches, kept = Batches(train, 7, seed=3), []
    for _ in range(3 * batches.steps_per_epoch):
        batch = batches.next()
        kept.append((batch.x, batch.x.clone()))
    assert all(torch.equal(x, then) for x, then in kept)
