"""The data set that a path stands for: read, split, with its labels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.base import DataSplits
from pyvae.data.columns import Column
from pyvae.data.fields import Field
from pyvae.data.form import Wanted, form_of
from pyvae.data.labels import as_classes
from pyvae.data.masks import Mask, mask_of
from pyvae.data.memory import fits
from pyvae.data.options import check_options, lenient
from pyvae.data.readers import parts_of, reader_of
from pyvae.data.splitting import DEFAULT, SPLITS, check_fractions, cut, from_field
from pyvae.data.values import leave_numbers, read_numbers
from pyvae.data.whole import join
from pyvae.errors import DataError
from pyvae.registry import datasets, readers

__all__ = ["file"]

Array = np.ndarray[Any, np.dtype[Any]]


@datasets.register("file")
def file(
    *,
    path: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    reader: str | None = None,
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    labels: str | None = None,
    fields: Sequence[str] = (),
    split: str | None = None,
    splits: Sequence[float] = DEFAULT,
    values: str | None = None,
    levels: int | None = None,
    channels: str | None = None,
    shape: Sequence[int] | None = None,
    mask: str | os.PathLike[str] | None = None,
    streaming: bool | None = None,
    name: str | None = None,
    **options: Any,
) -> DataSplits:
    """Your own files: images, arrays, tables, cells; ``--dataset PATH`` is short for this one.

    The rows are shuffled and split 80 / 10 / 10 per cent, always in the same way, unless a column
    or the files themselves say which rows are for what. A folder whose parts are called train,
    valid and test is split so; a part that is missing is cut from the rows for training.

    Args:
        path: a file, or a folder
        data_dir: ignored
        reader: what reads it, one of ``pyvae.registry.readers.names()``; default: found
        valid, test: files or folders with the rows of these splits
        labels: the field that holds labels; default: the one that usually does, as ``Y`` in HDF5
            files or the subfolders of images. Rows without a label are one class, "unlabelled"
        fields: further fields to keep by name
        split: the field that holds train, valid or test for each row
        splits: the shares of training, validation and test rows
        values: "counts", "corrected", "levels" or "real"; see :class:`pyvae.data.form.Wanted`
        levels: the highest grey level, of data that are levels
        channels: "first", "last" or "none": where the channels of images are
        shape: the shape of one datum, where rows hold its numbers in a line
        mask: a file of zeros and ones of the shape of the data, 1 where a value was observed;
            beside data in parts, a folder with the same parts
        streaming: true leaves the numbers in the file and reads them as they are needed, false
            holds them in memory; default: holds them where they fit
        name: what the data set is called; default: the name of the path
        options: those of the reader

    Raises:
        DataError: no such path, damaged or unknown files, values of another kind, or more of them
            than fit into memory.
        MissingExtraError: the library that reads them is not installed.
    """
    path = Path(path).expanduser()
    parts = {key: Path(p).expanduser() for key, p in (("valid", valid), ("test", test)) if p}
    places = {**(parts_of(path) if reader is None else {"train": path}), **parts}
    kind = reader or reader_of(places["train"])
    for place in places.values():
        if not place.exists():
            raise DataError(f"{place} does not exist")
    check_options(kind, options, file)
    part = readers.create(kind, **lenient(readers.get(kind), options))
    wanted = Wanted(values, levels, channels, None if shape is None else tuple(shape))
    fractions = check_fractions(splits, str(path))
    if split is not None and len(places) > 1:
        raise DataError(f"{path}: its parts are the splits already; leave out split={split}")
    asked = [*fields, *([] if split is None else [split])]
    aside = {*asked, *([] if labels is None else [labels])}
    with ExitStack() as opened:
        rows = [opened.enter_context(part.rows(place, aside)) for place in places.values()]
        whole = join(rows, labels, asked)
        seen: Mask | None = None
        if mask is not None:
            seen = mask_of(Path(mask).expanduser(), whole, places, wanted, opened)
            whole = seen.hiding(whole)
        given: dict[str, Tensor] = {}
        if split is not None:
            given = from_field(whole.fields[split], f"{path}: {split}")
        elif len(places) > 1:
            numbers = torch.split(torch.arange(sum(whole.sizes)), whole.sizes)
            given = dict(zip(places, numbers, strict=True))
        if streaming is None:
            form, size = form_of(whole, wanted)
            streaming = not fits(form.dtype.itemsize * math.prod(size))
        left = leave_numbers(whole, wanted) if streaming else None
        index = cut(sum(whole.sizes), fractions, str(path), given)
        order = torch.cat([index[key] for key in SPLITS])
        index = dict(zip(SPLITS, order.split([len(index[key]) for key in SPLITS]), strict=True))
        if streaming:  # neighbours in a file should be neighbours in a split
            for chosen in index.values():
                chosen.numpy().sort()
        found = left or read_numbers(whole, wanted, order)
        batch = found.rows if seen is None else seen.laid_on(found.rows, order)
    y: Tensor | None = None
    classes: tuple[str, ...] = ()
    if whole.labels is not None:
        where = f"{path}: {whole.labels}"
        codes, classes = as_classes(whole.fields[whole.labels], where, len(order))
        y = codes if streaming else codes[order]
    batch = replace(batch, y=y)
    ends = [0, *accumulate(len(index[key]) for key in SPLITS)]
    pieces = [batch.part(order[a:b] if streaming else slice(a, b)) for a, b in pairwise(ends)]
    columns = _columns_left(whole.columns, wanted)
    binary = bool(columns) and all(c.kind == "bits" for c in columns)
    return DataSplits(
        name or path.stem,
        pieces[0],
        pieces[1],
        pieces[2],
        levels=1 if binary and "mask" not in batch.extras else found.levels,
        columns=columns,
        classes=classes,
        fields={key: _cut_up(whole.fields[key], order.numpy(), ends) for key in fields},
        rows=index,
    )


def _columns_left(columns: tuple[Column, ...], wanted: Wanted) -> tuple[Column, ...]:
    """The columns of a table, as far as they say what the data are said to be."""
    if wanted.shape is not None or wanted.levels is not None or wanted.values == "levels":
        return ()
    if wanted.values in ("counts", "corrected"):
        return tuple(Column(column.name, "counts") for column in columns)
    return columns


def _cut_up(field: Field, order: Array, ends: Sequence[int]) -> tuple[Field, Field, Field]:
    train, valid, test = (field.take(order[a:b]) for a, b in pairwise(ends))
    return train, valid, test
