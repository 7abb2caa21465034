"""Whether training is still finite, without waiting for the device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["FiniteGuard", "NotFiniteError", "divergence", "first_not_finite"]

EVERY = 8  # steps between two looks
SUMS = ("elbo", "bound")  # terms that are made of others


class NotFiniteError(ArithmeticError):
    """A term of the loss, or a weight, is infinite or NaN.

    Args:
        what: which one, with its value
        step: the training step, counted from 1; None where that is not known
    """

    def __init__(self, what: str, step: int | None = None) -> None:
        super().__init__(what)
        self.what, self.step = what, step


def divergence(
    error: NotFiniteError, *, rate: float, advice: str, saved_step: int, go_on: str
) -> str:
    """What is said of a run that is no longer finite, and how it goes on.

    Args:
        error: what was found
        rate: the learning rate in force
        advice: what else may be wrong, as a sentence without its end, or nothing
        saved_step: training steps of the state that is on disk
        go_on: the command that takes it up again with a smaller rate
    """
    found = (
        f"training has diverged: at step {error.step} {error.what} is the first term that is not "
        f"finite, under a learning rate of {rate:g}"
    )
    if saved_step:
        kept = f"The state after {saved_step} steps is kept; go on from it"
    else:
        kept = "No trained state had been saved yet; begin again"
    sentences = [found, advice, f"{kept} with a smaller rate: {go_on}"]
    return ". ".join(sentence for sentence in sentences if sentence)


def first_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor with an element that is infinite or NaN."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            return name
    return None


class FiniteGuard:
    """Looks at the terms of every step, a few steps at a time and some steps later.

    On CUDA the terms are copied to the host while training goes on, and looked at when they have
    arrived: no step waits for them.
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._rows: list[Tensor] = []
        self._steps: list[int] = []  # of the rows
        self._copied: tuple[Tensor, list[int], torch.cuda.Event | None] | None = None

    def add(self, step: int, names: Sequence[str], values: Tensor) -> None:
        """Take in the terms of a step, which was the ``step``-th."""
        self._names = tuple(names)
        self._steps.append(step)
        self._rows.append(values)

    def look(self, *, wait: bool = False) -> None:
        """Look at what has arrived; with ``wait`` at all there is.

        Raises:
            NotFiniteError: a term is not finite.
        """
        if self._copied is not None and self._arrived(wait):
            self._examine()
        if self._copied is None and (len(self._rows) >= EVERY or (wait and self._rows)):
            self._copy()
            if self._arrived(wait):
                self._examine()

    def _copy(self) -> None:
        rows = torch.stack(self._rows)
        event = None
        if rows.is_cuda:
            host = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True)
            rows = host.copy_(rows, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self._copied = rows, self._steps, event
        self._rows, self._steps = [], []

    def _arrived(self, wait: bool) -> bool:
        assert self._copied is not None
        event = self._copied[2]
        if event is not None and wait:
            event.synchronize()
        return event is None or bool(event.query())

    def _examine(self) -> None:
        assert self._copied is not None
        (rows, steps, _), self._copied = self._copied, None
        for step, row in zip(steps, rows.tolist(), strict=True):
            bad = [name for name, v in zip(self._names, row, strict=True) if not math.isfinite(v)]
            if bad:
                # the part that is not finite before the sums that it makes so
                name = min(bad, key=lambda n: n.startswith("loss") or n in SUMS)
                value = row[self._names.index(name)]
                raise NotFiniteError(f"{name} ({value:g})", step)
