"""What is raced, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pyvae.benchmarking.memory import Memory
from pyvae.benchmarking.timing import Times

__all__ = ["AGAIN", "COPY", "Result", "Work"]

#: Beside the variants: pyvae once more, and a copy of as many bytes.
AGAIN, COPY = "pyvae again", "copy"


@dataclass(frozen=True)
class Work:
    """What is raced: a row of ``pyvae.testing.CASES`` at a size.

    Attributes:
        inplace: the op may overwrite its second argument.
        weighted: rows of a log-probability have random weights, not those of a mean.
        by_element: no dimension is summed: each element is a row.
        device: where the tensors lie.
    """

    op: str
    sizes: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    backward: bool = True
    inplace: bool = False
    weighted: bool = False
    by_element: bool = False
    device: str = "cpu"

    @property
    def name(self) -> str:
        parts = [self.op, " x ".join(map(str, self.sizes)), str(self.dtype).removeprefix("torch.")]
        parts += ["in place"] if self.inplace else []
        parts += ["by element"] if self.by_element else []
        return " ".join([*parts, *(["weighted rows"] if self.weighted else [])])


@dataclass(frozen=True)
class Result:
    """Times, memory and launches by variant; ``bytes_moved`` is what the op cannot avoid."""

    work: Work
    times: Mapping[str, Times]
    memory: Mapping[str, Memory]
    bytes_moved: int
    skipped: Mapping[str, str]
    launches: Mapping[str, int] = field(default_factory=dict)  # of a call, on a device

    def ratio(self, other: str, of: str = "pyvae") -> float | None:
        """How many times as long ``other`` takes; None where it did not run."""
        return self.times[other].median / self.times[of].median if other in self.times else None

    @property
    def noise_floor(self) -> float:
        """How far the ratio of pyvae to itself is from 1."""
        return abs((self.ratio(AGAIN) or 1.0) - 1)

    def bandwidth(self, name: str) -> float:
        """GB/s of the unavoidable bytes; of a plain copy of as many for "copy"."""
        return self.bytes_moved / self.times[name].median / 1e9

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {
            "work": self.work.name,
            "backward": self.work.backward,
            "times_us": {name: times.summary() for name, times in self.times.items()},
            "ratio": {name: self.ratio(name) for name in self.times if name != "pyvae"},
            "noise_floor": self.noise_floor,
            "bytes_moved": self.bytes_moved,
            "gb_per_s": {name: self.bandwidth(name) for name in self.times},
            "memory": {name: memory._asdict() for name, memory in self.memory.items()},
            "launches": dict(self.launches),
            "skipped": dict(self.skipped),
        }
