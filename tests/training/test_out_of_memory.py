"""Too little memory for a step: a sentence with what fits, and what was saved is still there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.cli import main
from pyvae.errors import UserError
from pyvae.models.base import Model
from pyvae.objectives import ELBO, Result
from pyvae.registry import objectives
from pyvae.training import RunFolder
from pyvae.training.out_of_memory import is_out_of_memory, within_memory

HOST = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate {} bytes. Error code 12 (Cannot allocate memory)"
)
SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--eval-samples", "0", "--batch-size", "64"]


class Greedy(ELBO):
    """The ELBO on a machine that has enough memory for so many rows."""

    rows = 1000

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        if model.training and len(batch) > Greedy.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return super().forward(model, batch, phase=phase)


if "test_greedy" not in objectives.names():
    objectives.register("test_greedy")(Greedy)


@pytest.fixture(autouse=True)
def _enough(one_thread: None) -> Iterator[None]:
    yield
    Greedy.rows = 1000


def rows(count: int) -> list[Batch]:
    return [Batch(torch.zeros(count, 3))]


def limited(most: int, error: Exception):
    """A step for which there is memory up to some number of rows at once."""

    def step(number: int, epoch: int, rate: float, stored: list[Batch]) -> int:
        if max(map(len, stored)) > most:
            raise error
        return len(stored)

    return step


@pytest.mark.parametrize(
    "error, where",
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "on the GPU"),
        (RuntimeError(HOST.format(4096)), "on the host"),
        (MemoryError(), "on the host"),
    ],
    ids=["device", "host", "python"],
)
def test_the_sentence_names_a_size_that_fits(error: Exception, where: str) -> None:
    assert is_out_of_memory(error)
    with pytest.raises(UserError) as caught:
        within_memory(limited(37, error), 0, 0, 1e-3, rows(128))
    assert str(caught.value) == (
        f"there is too little memory {where} for a training step of 128 rows at once, but enough "
        "for 32: give --batch-size 32, or --accumulate 4, which makes the same step of so many "
        "parts"
    )
    with pytest.raises(UserError, match=r"40 rows at once.* --accumulate 4,"):
        within_memory(limited(37, error), 0, 0, 1e-3, rows(40) * 2)
    with pytest.raises(UserError, match="none that is smaller: make the model smaller"):
        within_memory(limited(0, error), 0, 0, 1e-3, rows(128))
    assert within_memory(limited(37, error), 0, 0, 1e-3, rows(30) * 2) == 2


def test_a_trial_on_the_host_asks_for_a_part_of_what_is_free(monkeypatch) -> None:
    """Linux grants what it does not have, and ends the process that uses it."""
    monkeypatch.setattr("pyvae.training.out_of_memory._free_memory", lambda: 4_000)
    error = RuntimeError(HOST.format(128_000))  # 1000 bytes a row
    with pytest.raises(UserError, match="enough for 1:"):
        within_memory(limited(127, error), 0, 0, 1e-3, rows(128))


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("no")])
def test_other_errors_are_no_matter_of_memory(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        within_memory(limited(37, error), 0, 0, 1e-3, rows(128))


def test_this_torch_says_it_as_it_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_what_held_the_memory_is_free_when_less_is_tried() -> None:
    held: list[int] = []

    class Large:
        alive = 0

        def __init__(self) -> None:
            Large.alive += 1

        def __del__(self) -> None:
            Large.alive -= 1

    def step(number: int, epoch: int, rate: float, stored: list[Batch]) -> None:
        held.append(Large.alive)
        large = Large()
        if len(stored[0]) > 10:
            raise torch.OutOfMemoryError(f"out of memory beside {large}")

    with pytest.raises(UserError, match="enough for 10"):
        within_memory(step, 0, 0, 1e-3, rows(80))
    assert held == [0, 0, 0, 0]


def test_the_command_ends_with_one_sentence_and_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "--objective", "test_greedy", "--steps", "4", *SMALL]
    Greedy.rows = 40
    assert main([*train, "--out", str(tmp_path / "full")]) == 2
    said = capsys.readouterr().err
    assert "too little memory on the GPU for a training step of 64 rows" in said
    assert "--accumulate 2" in said and "Traceback" not in said
    RunFolder(tmp_path / "full").check_resumable()
    assert main([*train, "--out", str(tmp_path / "parts"), "--accumulate", "2"]) == 0
    Greedy.rows = 1000
    assert main(["train", "--resume", str(tmp_path / "full"), "--quiet"]) == 0
