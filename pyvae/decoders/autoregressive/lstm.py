"""LSTMs that go over an image: row by row, or diagonal by diagonal from both sides."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pyvae.decoders.autoregressive.blocks import PixelBlock, PixelStep

__all__ = ["DiagonalBiLSTM", "RowLSTM"]

#: How many pixels a front has, and how many zeros the front before gets at each end, so that a
#: kernel which goes over it meets each of these pixels once.
Front = tuple[int, tuple[int, int]]


def _cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """State and cell (..., hidden), for gates (..., 4 hidden) and the cell before: eq. 3."""
    hidden = cell.shape[-1]
    doors, content = gates.split([3 * hidden, hidden], -1)
    output, forget, take = torch.sigmoid(doors).chunk(3, -1)
    cell = forget * cell + take * torch.tanh(content)
    return output * torch.tanh(cell), cell


def _scan(gates: Tensor, weight: Tensor, start: int, fronts: Iterable[Front]) -> Tensor:
    """States (directions, pixels, N, hidden), one front of pixels after another.

    Args:
        gates: what the input gives (directions, pixels, N, 4 hidden), in the order of the fronts
        weight: from a kernel's states to gates (directions, kernel * hidden, 4 hidden)
        start: how many pixels, of states 0, come before the first front
        fronts: in their order
    """
    directions, _, n, wide = gates.shape
    hidden = wide // 4
    weights = weight.split(hidden, 1)
    state = cell = gates.new_zeros(directions, start, n, hidden)
    states = []
    sizes, pads = zip(*fronts, strict=True)
    for part, size, pad in zip(gates.split(sizes, 1), sizes, pads, strict=True):
        state, cell = (F.pad(t, (0, 0, 0, 0, *pad)) for t in (state, cell))
        seen = part.flatten(1, 2)
        for k, each in enumerate(weights):
            seen = torch.baddbmm(seen, state[:, k : k + size].flatten(1, 2), each)
        state, cell = _cell(seen.view(directions, size, n, wide), cell[:, 1 : 1 + size])
        states.append(state)
    return torch.cat(states, 1)


class _LSTMBlock(PixelBlock, ABC):
    """Gates from the input, states from the front before, and a 1x1 convolution back.

    The input goes around all of it (section 3.3).
    """

    def __init__(self, hidden: int, seen: int, kernel: int, directions: int) -> None:
        super().__init__()
        self.hidden, self.directions = hidden, directions
        gates = 4 * hidden * directions
        self.inputs = nn.Conv2d(2 * hidden, gates, (1, seen))
        self.states = nn.Conv1d(hidden * directions, gates, kernel, groups=directions, bias=False)
        self.out = nn.Conv2d(hidden, 2 * hidden, 1)

    def weight(self) -> Tensor:
        """From a kernel's states to gates (directions, kernel * hidden, 4 hidden)."""
        weight: Tensor = self.states.weight.unflatten(0, (self.directions, -1))
        return weight.permute(0, 3, 2, 1).flatten(1, 2)


class RowLSTM(_LSTMBlock):
    """Row LSTM: a pixel's state comes of three states in the row above.

    van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.1. Of the input, the pixel and the
    one to its left are seen: a kernel of 3 with mask B.

    Args:
        hidden: width of the states; features have twice as many channels
    """

    def __init__(self, hidden: int) -> None:
        super().__init__(hidden, seen=2, kernel=3, directions=1)

    def forward(self, h: Tensor) -> Tensor:
        height, width = h.shape[2:]
        gates = self.inputs(F.pad(h, [1, 0])).flatten(2).permute(2, 0, 1)[None]
        states = _scan(gates, self.weight(), width, [(width, (1, 1))] * height)[0]
        out: Tensor = h + self.out(states.permute(1, 2, 0).unflatten(2, (height, width)))
        return out

    def stepper(self, like: Tensor, height: int, width: int) -> PixelStep:
        """Keeps the states of the row above, and makes what they give to a row at its beginning."""
        n, weight = len(like), self.weight()[0]
        states = like.new_zeros(width + 2, n, self.hidden)  # 1 to width: the pixels
        cells = like.new_zeros(width, n, self.hidden)
        from_above = like.new_zeros(width, n, 4 * self.hidden)
        left = like.new_zeros(n, 2 * self.hidden, 1, 1)

        def step(h: Tensor, i: int, j: int) -> Tensor:
            if j == 0:
                window = torch.cat([states[k : k + width] for k in range(3)], -1)
                torch.matmul(window, weight, out=from_above)
                left.zero_()
            gates = self.inputs(torch.cat([left, h], 3))[:, :, 0, 0] + from_above[j]
            state, cells[j] = _cell(gates, cells[j])
            states[j + 1] = state
            left.copy_(h)
            out: Tensor = h + self.out(state[..., None, None])
            return out

        return step


class DiagonalBiLSTM(_LSTMBlock):
    """Diagonal BiLSTM: a pixel's state comes of those above it and beside it, from either side.

    van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.2. The pixels of a diagonal are made
    at once. What comes from the right is moved down by a row, so that no later pixel is seen.

    Args:
        hidden: width of the states; features have twice as many channels
    """

    def __init__(self, hidden: int) -> None:
        super().__init__(hidden, seen=1, kernel=2, directions=2)

    def forward(self, h: Tensor) -> Tensor:
        height, width = h.shape[2:]
        gates = self.inputs(h).unflatten(1, (2, -1))
        gates = torch.stack([gates[:, 0], gates[:, 1].flip(-1)])  # either begins at column 0
        rows, columns = (torch.arange(size, device=h.device) for size in (height, width))
        order = (rows[:, None] + columns).flatten().argsort(stable=True)
        fronts = [
            (min(d, height - 1) - max(d - width + 1, 0) + 1, (int(d < width), int(d < height)))
            for d in range(height + width - 1)
        ]
        gates = gates.flatten(3).permute(0, 3, 1, 2).index_select(1, order)
        states = _scan(gates, self.weight(), 0, fronts).index_select(1, order.argsort())
        left, right = states.permute(0, 2, 3, 1).unflatten(3, (height, width))
        above = F.pad(right.flip(-1), [0, 0, 1, 0])[:, :, :height]
        out: Tensor = h + self.out(left + above)
        return out

    def stepper(self, like: Tensor, height: int, width: int) -> PixelStep:
        """Keeps the states of the row above; those from the right are made once a row is there."""
        n, (from_left, from_right) = len(like), self.weight()
        above = like.new_zeros(2, width, n, self.hidden)
        gates_right = like.new_zeros(width, n, 4 * self.hidden)
        nothing = like.new_zeros(n, self.hidden)
        left = [nothing, nothing]  # state and cell

        def step(h: Tensor, i: int, j: int) -> Tensor:
            if j == 0:
                left[:] = nothing, nothing
                state, cell = nothing, nothing
                for k in reversed(range(width if i else 0)):
                    seen = torch.cat([above[1, k], state], -1)
                    state, cell = _cell(gates_right[k] + seen @ from_right, cell)
                    above[1, k] = state
            gates, gates_right[j] = self.inputs(h)[:, :, 0, 0].chunk(2, 1)
            seen = torch.cat([above[0, j], left[0]], -1)
            left[:] = _cell(gates + seen @ from_left, left[1])
            above[0, j] = left[0]
            out: Tensor = h + self.out((left[0] + above[1, j])[..., None, None])
            return out

        return step
