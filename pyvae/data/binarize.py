"""From stored grey levels to the values that a likelihood explains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from pyvae.data.base import DataSplits, Split
from pyvae.data.stored import StoredBatch
from pyvae.errors import UserError
from pyvae.likelihoods import DataRange

__all__ = ["Binarize", "View", "draw_bits", "view"]

Binarize = Literal["auto", "dynamic", "fixed", "none"]
Mode = Literal["stored", "scaled", "drawn"]

_HELD_OUT_SEED = 0  # validation and test images are the same whatever the seed of the run


def draw_bits(x: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """Bernoulli(x / levels) for each grey level, as float32 zeros and ones of the shape of x.

    Compares 16 random bits with the level, which is several times faster than ``torch.bernoulli``;
    a probability is off by at most 2^-16, and levels 0 and ``levels`` are exact.
    """
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    words.random_(-(2**63), None, generator=generator)
    uniform = words.view(torch.int16)[: x.numel()].view(x.shape)  # -2^15 .. 2^15 - 1
    threshold = x.to(torch.float32, copy=True).mul_(2**16 / levels).sub_(2**15)
    return threshold.gt_(uniform)  # in place: no bools, which would take as long to convert


@dataclass(frozen=True)
class View:
    """A data set as a likelihood sees it.

    Args:
        data: the splits; those that are binarized once hold zeros and ones already
        train_mode, held_out_mode: what :meth:`values` does to stored values: nothing ("stored"),
            division by the highest level ("scaled"), or a fresh binarization ("drawn")
        grey: the data set with its grey levels, where ``data`` hold zeros and ones drawn from them
    """

    data: DataSplits
    train_mode: Mode
    held_out_mode: Mode
    grey: DataSplits | None = None

    def train_values(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Stored training data (B, *data_shape) as the objective gets them."""
        if self.train_mode == "drawn":
            return draw_bits(x, self.data.levels or 1, generator)
        return _values(x, self.train_mode, self.data.levels)

    def held_out_values(self, x: Tensor) -> Tensor:
        """Stored validation or test data (B, *data_shape) as the metrics get them."""
        return _values(x, self.held_out_mode, self.data.levels)

    def held_out(self, split: str) -> Split:
        """The split "valid" or "test"."""
        return {"valid": self.data.valid, "test": self.data.test}[split]

    def pictured(self, split: str, size: int, seed: int) -> Tensor:
        """The data of ``held_out(split).subset(size, seed)`` as one would look at them.

        Grey levels, divided by the highest, also where the metrics get zeros and ones drawn from
        them, which tell the eye little of an image of few pixels.
        """
        data = self.grey or self.data
        rows = {"valid": data.valid, "test": data.test}[split].subset(size, seed=seed)
        return rows.x.to(torch.float32) / (data.levels or 1)

    @property
    def white(self) -> float:
        """The value that is drawn as white."""
        stored = self.train_mode == "stored" and self.held_out_mode == "stored"
        return float(self.data.levels or 1) if stored else 1.0

    def to(self, device: torch.device | str) -> View:
        """The view on a device."""
        return replace(self, data=self.data.map(lambda split: split.to(device)))


def view(
    data: DataSplits, data_range: DataRange, binarize: Binarize, *, binary: bool, seed: int
) -> View:
    """How a likelihood of this ``data_range`` sees a data set.

    Args:
        data_range: the likelihood's; one of whole numbers sees the data as stored
        binarize: "dynamic" draws Bernoulli(x / levels) anew for each minibatch and once for the
            held-out splits, "fixed" once for all, "none" scales grey levels to [0, 1];
            "auto" is "dynamic" for a likelihood of zeros and ones, else "none"
        binary: whether the likelihood is one of zeros and ones
        seed: of the fixed binarization of the training split

    Raises:
        UserError: the data cannot be shown so.
    """
    levels = data.levels
    if binarize == "auto":
        binarize = "dynamic" if binary and levels is not None and levels > 1 else "none"
    if binarize != "none":
        if levels is None:
            raise UserError(
                f"{data.name} has no grey levels that --binarize {binarize} could draw from"
            )
        if levels > 1:
            held = [
                _drawn(split, levels, _HELD_OUT_SEED + i)
                for i, split in enumerate((data.valid, data.test))
            ]
            if binarize == "dynamic":
                bits = replace(data, valid=held[0], test=held[1])
                return View(bits, "drawn", "stored", grey=data)
            train = _drawn(data.train, levels, seed)
            bits = replace(data, train=train, valid=held[0], test=held[1], levels=1)
            return View(bits, "stored", "stored", grey=data)
    if data_range.whole:
        unknown = levels is None and binary  # the values are looked at when they are checked
        if data_range.finite and data_range.high != levels and not unknown:
            has = "no levels" if levels is None else f"levels from 0 to {levels}"
            raise UserError(f"{data.name} has {has}; the likelihood needs {data_range}")
        return View(data, "stored", "stored")
    mode: Mode = "stored" if levels is None or levels == 1 else "scaled"
    return View(data, mode, mode)


def _drawn(split: Split, levels: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)

    def bits(batch: Split) -> Tensor:
        return draw_bits(batch.x, levels, generator).to(torch.uint8)

    if isinstance(split, StoredBatch):
        return split.written(bits, "the binarized images")
    return replace(split, x=bits(split))


def _values(x: Tensor, mode: Mode, levels: int | None) -> Tensor:
    return x.to(torch.float32, copy=True).div_(levels or 1) if mode == "scaled" else x
