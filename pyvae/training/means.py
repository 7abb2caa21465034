"""Means of named scalars over steps, without waiting for the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["Means"]


class Means:
    """Sums scalars on their device; :meth:`pop` reads the means, and only that waits."""

    def __init__(self) -> None:
        self.count = 0
        self._names: tuple[str, ...] = ()
        self._sums: Tensor | None = None

    def add(self, names: Sequence[str], values: Tensor) -> None:
        """Take in the scalars (M,) of one step, always of the same M names."""
        if self._sums is None:
            self._names, self._sums = tuple(names), values.clone()
        else:
            self._sums += values
        self.count += 1

    def pop(self) -> dict[str, float]:
        """The means since the last call, and start anew; empty if nothing was added."""
        if self._sums is None:
            return {}
        means = (self._sums / self.count).tolist()
        self.count, self._sums = 0, None
        return dict(zip(self._names, means, strict=True))

    def state_dict(self) -> dict[str, Tensor]:
        """Sums, count, and names as bytes; empty if nothing was added."""
        if self._sums is None:
            return {}
        names = torch.tensor(list("\n".join(self._names).encode()), dtype=torch.uint8)
        return {"sums": self._sums, "count": torch.tensor(self.count), "names": names}

    def load_state_dict(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Put back what :meth:`state_dict` gave."""
        if state:
            self._names = tuple(bytes(state["names"].tolist()).decode().split("\n"))
            self._sums = state["sums"].to(device)
            self.count = int(state["count"])
