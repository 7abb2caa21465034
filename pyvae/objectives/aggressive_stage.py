"""Which weights a training step moves while inference is aggressive."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import torch
from torch import Tensor, nn

__all__ = ["AggressiveStage"]


@dataclass
class _Progress:
    """What the next decision depends on, besides the sums on the device.

    Args:
        aggressive: whether the stage goes on
        steps: of q(z|x) since the last one of p(x|z)
        loss: the mean of the window before
        rows: of the batches whose mutual information has been added up in this epoch of p(x|z)
        batches: how many they are
        information: the mean of the epoch before
    """

    aggressive: bool = True
    steps: int = 0
    loss: float = math.inf
    rows: int = 0
    batches: int = 0
    information: float = -math.inf


class AggressiveStage(nn.Module):
    """q(z|x) until its loss no longer falls, then p(x|z) once; both when no information is gained.

    He, Spokoyny, Neubig & Berg-Kirkpatrick 2019, algorithm 1, a training step at a time. What it
    decides from is part of ``state_dict``.

    Args:
        window: steps of q(z|x) whose mean loss is compared with that of the steps before them
        max_steps: of q(z|x) at most before one of p(x|z)
        length: training steps after which the stage is over in any case; None: open
    """

    loss_sum: Tensor
    information_sum: Tensor

    def __init__(self, window: int, max_steps: int, length: int | None) -> None:
        super().__init__()
        self.window, self.max_steps, self.length = window, max_steps, length
        self.progress = _Progress()
        self.trained = "recognition"  #: or "generative" or "both": what this step moves
        self.register_buffer("loss_sum", torch.zeros(()))
        self.register_buffer("information_sum", torch.zeros(()))

    def begin(self, step: int, rows: int) -> None:
        """Decide what a training step, counted from 0, moves; an epoch of p(x|z) has ``rows``."""
        now = self.progress
        if now.aggressive:
            over = self.length is not None and step >= self.length
            now.aggressive = not over and self._informs(rows)
        if not now.aggressive:
            self.trained = "both"
        elif self._settled():
            self.trained = "generative"
            now.steps, now.loss = 0, math.inf
            self.loss_sum.zero_()
        else:
            self.trained = "recognition"

    @property
    def starts(self) -> bool:
        """Whether this step is the first of q(z|x) since p(x|z) was trained."""
        return self.trained == "recognition" and self.progress.steps == 0

    def add_information(self, information: Tensor, rows: int) -> None:
        """The mutual information () of a batch of so many rows, where q(z|x) starts."""
        self.information_sum += information
        self.progress.rows += rows
        self.progress.batches += 1

    def add_loss(self, loss: Tensor) -> None:
        """The loss () of this step, if it moves q(z|x) alone."""
        if self.trained == "recognition":
            self.loss_sum += loss.detach()
            self.progress.steps += 1

    def _settled(self) -> bool:
        """Whether q(z|x) is as good as it gets: looked at where a window ends."""
        now = self.progress
        if now.steps and now.steps % self.window == 0:
            loss = float(self.loss_sum) / self.window
            self.loss_sum.zero_()
            if not loss < now.loss:
                return True
            now.loss = loss
        return now.steps >= self.max_steps

    def _informs(self, rows: int) -> bool:
        """Whether the mutual information rises: looked at where an epoch of p(x|z) ends."""
        now = self.progress
        if now.rows < rows:
            return True
        information = float(self.information_sum) / now.batches
        self.information_sum.zero_()
        rises = information > now.information
        now.rows, now.batches, now.information = 0, 0, information
        return rises

    def get_extra_state(self) -> Tensor:
        """The progress as numbers, for ``state_dict``."""
        return torch.tensor(astuple(self.progress), dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Put back what :meth:`get_extra_state` gave."""
        aggressive, steps, loss, rows, batches, information = state.tolist()
        self.progress = _Progress(
            bool(aggressive), int(steps), loss, int(rows), int(batches), information
        )
