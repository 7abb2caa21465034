"""The data of :func:`pyvae.fit`: splits that are held whole, or a loader and some of its rows."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from pyvae.batch import Batch
from pyvae.data.base import DataSplits
from pyvae.errors import DataError
from pyvae.fitting.inputs import as_batch, as_splits, levels_of, takes_whole
from pyvae.fitting.loader import LoaderBatches, rows_of
from pyvae.models.base import Model

__all__ = ["Given", "given_data"]

NAME = "data"
SHARE = 0.1  # of the rows is held out where nothing is said
SOME = 1000  # rows of a loader that a model starts from and that are checked
HELD_OUT = 10_000  # validation rows that are taken from a loader, at most


@dataclass(frozen=True)
class Given:
    """Data as training takes them.

    Args:
        splits: all rows, or some of them where there is a source
        source: minibatches of a loader
        rows: how many training rows the loader has
    """

    splits: DataSplits
    source: LoaderBatches | None = None
    rows: int | None = None


@dataclass(frozen=True)
class _Sides:
    """Rows in the model's dtype, with what it needs beside them and can be found from them."""

    model: Model

    def __call__(self, batch: Batch) -> Batch:
        x, extras = batch.x, dict(batch.extras)
        if x.is_floating_point():
            x = x.to(self.model.dtype)
        wanted = self.model.side_inputs
        if "mask" in wanted and "mask" not in extras and x.is_floating_point():
            extras["mask"] = ~x.isnan()
            x = x.nan_to_num(nan=0.0)
        if "library" in wanted and "library" not in extras:
            extras["library"] = x.flatten(1).sum(1, dtype=torch.float32)
            empty = (extras["library"] == 0).nonzero()
            if len(empty):
                raise DataError(
                    f"{NAME}: row {int(empty[0])} has no counts at all; leave such rows out"
                )
        missing = [name for name in wanted if name not in extras and name != "mask"]
        if missing:
            raise DataError(
                f"the model needs {', '.join(missing)} with each row: give the data as a "
                f"pyvae.batch.Batch with extras of these names"
            )
        return Batch(x, batch.y, extras)


def given_data(
    data: Any,
    *,
    valid: Any,
    labels: Any,
    mask: Any,
    levels: int | None,
    batch_size: int,
    seed: int,
    device: torch.device,
    model: Model,
    min_rows: int,
) -> Given:
    """What was given to :func:`pyvae.fit`, as training takes it.

    Args:
        data, valid, labels, mask, levels: as for :func:`pyvae.fit`
        batch_size: rows of a minibatch of a Dataset
        seed: of the order, and of the choice of held-out rows
        device: where the minibatches of a loader are brought
        model: what is trained on them
        min_rows: rows that a minibatch must have

    Raises:
        TypeError: something else than data.
        DataError: data that cannot be used.
    """
    sides = _Sides(model)
    if mask is not None and not takes_whole(data):
        raise DataError(
            f"mask is for data that lie in memory, got a {type(data).__name__}; give batches with "
            f"the extra 'mask', or the splits of pyvae.data.load(path, mask=...)"
        )
    if isinstance(data, DataSplits):
        splits = data if valid is None else replace(data, valid=_held_out(valid, data.train, "0"))
        return Given(splits.rowwise(sides))
    if not takes_whole(data) and isinstance(data, Dataset):
        data, valid = _split_dataset(data, valid, batch_size, seed)
    if isinstance(data, DataLoader):
        return _of_loader(data, valid, levels, seed, device, sides, min_rows)
    whole = as_batch(data, labels)
    if mask is not None:
        if "mask" not in model.side_inputs:
            raise DataError("the model takes no mask; build it with masked=True")
        whole = _masked(whole, mask)
    held = SHARE if valid is None else _held_out(valid, whole)
    levels = levels_of(whole.x) if levels is None else levels
    return Given(as_splits(whole, held, levels, seed, NAME).map(sides))


def _masked(whole: Batch, mask: Any) -> Batch:
    """Rows of which a mask says what was observed, with 0 elsewhere."""
    seen = as_batch(mask, what="mask").x
    if seen.shape != whole.x.shape or not bool(((seen == 0) | (seen == 1)).all()):
        said = f"{tuple(seen.shape)} from {float(seen.min()):g} to {float(seen.max()):g}"
        raise DataError(
            f"mask must hold zeros and ones of the shape {tuple(whole.x.shape)} of the data, got "
            f"{said}"
        )
    seen = seen == 1
    if whole.x.is_floating_point():
        seen = seen & ~whole.x.isnan()
    x = whole.x.masked_fill(~seen, 0)
    return Batch(x, whole.y, {**whole.extras, "mask": seen})


def _held_out(valid: Any, whole: Batch, only: str = "") -> Any:
    """A batch of validation rows, or their share."""
    if isinstance(valid, (int, float)) and not isinstance(valid, bool):
        if only and valid:
            raise DataError(
                f"valid must be rows of their own, or 0, beside these data, got {valid}"
            )
        if not 0 <= valid < 1:
            raise DataError(f"valid must be a share below 1 of the rows, or rows, got {valid}")
        return whole[:0] if only else float(valid)
    if isinstance(valid, DataLoader):
        return rows_of(valid, HELD_OUT, "valid")
    if not takes_whole(valid) and isinstance(valid, Dataset):
        return rows_of(DataLoader(valid, batch_size=250), HELD_OUT, "valid")
    return as_batch(valid, what="valid")


def _split_dataset(
    data: Dataset[Any], valid: Any, batch_size: int, seed: int
) -> tuple[DataLoader[Any], Any]:
    """A loader over the training rows, and the validation rows."""
    if isinstance(data, IterableDataset) or not isinstance(data, Sized):
        raise DataError(
            f"{NAME}: a Dataset must have a length; give a DataLoader over one that has none"
        )
    share = SHARE if valid is None else valid
    if isinstance(share, (int, float)) and not isinstance(share, bool):
        if not 0 <= share < 1:
            raise DataError(f"valid must be a share below 1 of the rows, or rows, got {valid}")
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).tolist()
        held = round(share * len(data))
        valid = Subset(data, order[:held]) if held else 0
        data = Subset(data, order[held:])
    return DataLoader(data, batch_size=batch_size, shuffle=True), valid


def _of_loader(
    loader: DataLoader[Any],
    valid: Any,
    levels: int | None,
    seed: int,
    device: torch.device,
    sides: _Sides,
    min_rows: int,
) -> Given:
    source = LoaderBatches(loader, seed, device, sides)
    rows = len(loader.dataset) if isinstance(loader.dataset, Sized) else None
    if rows is not None and loader.batch_size is not None and not loader.drop_last:
        last = rows % loader.batch_size or loader.batch_size
        if last < min_rows:
            raise DataError(
                f"{NAME}: the last batch of the loader has {last} rows, and each must have at "
                f"least {min_rows} for this objective; give it drop_last=True"
            )
    some = rows_of(loader, SOME)
    held = some[:0] if valid is None else _held_out(valid, some, "0")
    levels = levels_of(some.x) if levels is None else levels
    return Given(as_splits(some, held, levels, seed, NAME).map(sides), source, rows)
