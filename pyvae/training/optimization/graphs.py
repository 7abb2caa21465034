"""CUDA graphs: what a phase launches on the device, recorded once and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pyvae.batch import Batch
from pyvae.errors import UserError
from pyvae.objectives import Objective, Phase
from pyvae.training.optimization.step import Compute, Part

__all__ = ["Graphs", "check_graphs", "record"]

WARM_UP = 3  # steps of a shape that run as usual, in which libraries find their algorithms

T = TypeVar("T")


def check_graphs(device: torch.device, objective: Objective) -> None:
    """Whether the steps of a run can be recorded.

    Raises:
        UserError: there is no CUDA device, or what a step computes changes from step to step.
    """
    if device.type != "cuda":
        raise UserError(f"--cuda-graphs needs a CUDA device, and this run is on {device}")
    if objective.scheduled:
        raise UserError(
            f"--cuda-graphs repeats the same work in each step, but {type(objective).__name__} "
            f"changes with the step here; leave out its warm-up, or --cuda-graphs"
        )


def record(work: Callable[[], T], stream: Any = None) -> tuple[Callable[[], None], T]:
    """Record what some work launches on the device, without running it.

    Args:
        work: which reads and writes tensors at fixed places, and does not wait for the device
        stream: to record on; None: one is made

    Returns:
        What runs it again, and the result of the work, whose tensors each run fills anew.

    Raises:
        RuntimeError: the work does what cannot be recorded.
    """
    graph = torch.cuda.CUDAGraph()
    # other threads may go on with their own work on the device, such as copies of the next rows
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        result = work()
    return graph.replay, result


@dataclass(frozen=True)
class _Recorded:
    replay: Callable[[], None]
    rows: Batch  # what it reads
    gradients: list[Tensor | None]  # of the phase's weights, which it writes
    terms: list[tuple[str, Tensor]]


class Graphs:
    """The loss and the gradients of a phase, replayed for each shape of batch.

    Noise is that of the generators at the time of each replay, so that a run has the numbers of one
    without graphs. Weights, buffers and the terms of the loss stay where they are in memory; rows
    are copied to where the recorded ones were.

    Args:
        compute: adds the gradients of a phase on some rows, and gives the terms of its loss; the
            last argument is handed on
        weights: all whose gradients it may write
        name: of the objective, for messages
    """

    def __init__(
        self,
        compute: Compute,
        weights: Sequence[nn.Parameter],
        name: str,
    ) -> None:
        self._compute, self._weights, self._name = compute, weights, name
        self._seen: dict[object, int] = {}
        self._recorded: dict[object, _Recorded] = {}
        self._stream = torch.cuda.Stream()

    def __call__(self, part: Part, phase: Phase, last: bool) -> list[tuple[str, Tensor]]:
        """Compute the gradients of a phase, which have been cleared, and the terms of its loss.

        Raises:
            UserError: the phase does what cannot be recorded.
        """
        key = phase.name, _shape(part.rows)
        if key not in self._recorded:
            self._seen[key] = self._seen.get(key, 0) + 1
            if self._seen[key] <= WARM_UP:
                return self._aside(part, phase, last)
            self._recorded[key] = self._record(part, phase, last)
        found = self._recorded[key]
        for there, new in zip(_tensors(found.rows), _tensors(part.rows), strict=True):
            there.copy_(new, non_blocking=True)
        found.replay()
        for weight, gradient in zip(phase.parameters, found.gradients, strict=True):
            weight.grad = gradient
        return found.terms

    def _aside(self, part: Part, phase: Phase, last: bool) -> list[tuple[str, Tensor]]:
        """As usual, but on the stream that is going to be recorded."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            terms = self._compute(part, phase, last)
        current.wait_stream(self._stream)
        return terms

    def _record(self, part: Part, phase: Phase, last: bool) -> _Recorded:
        rows = part.rows.map(torch.clone)
        for weight in self._weights:  # the recorded ones begin with none, and have their own place
            weight.grad = None
        try:
            replay, terms = record(
                lambda: self._compute(replace(part, rows=rows), phase, last), self._stream
            )
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise UserError(
                f"--cuda-graphs: {self._name} does what a CUDA graph cannot hold, such as waiting "
                f"for the device ({str(error).splitlines()[0]}); train without it"
            ) from error
        gradients = [weight.grad for weight in phase.parameters]
        for weight in self._weights:
            weight.grad = None
        return _Recorded(replay, rows, gradients, terms)


def _tensors(rows: Batch) -> list[Tensor]:
    labels = [] if rows.y is None else [rows.y]
    return [rows.x, *labels, *(rows.extras[name] for name in sorted(rows.extras))]


def _shape(rows: Batch) -> object:
    """What rows must share to stand in one place."""
    kinds = tuple((t.shape, t.dtype) for t in _tensors(rows))
    return rows.y is None, tuple(sorted(rows.extras)), kinds
