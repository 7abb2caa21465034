"""The rows of one file or folder, in memory, in their own order; and several as one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data.columns import Column
from pyvae.data.fields import Field
from pyvae.data.readers import Reader
from pyvae.data.values import Wanted, typed
from pyvae.errors import DataError

__all__ = ["Piece", "join", "read"]


@dataclass(frozen=True)
class Piece:
    """Rows with what is known of them.

    Args:
        batch: the data and their side inputs
        where: where they come from, for messages
        levels: the highest grey level, where they have any
        columns: what each variable is, where they are a table
        fields: further values of the rows, by name
        labels: the field that holds labels
    """

    batch: Batch
    where: str
    levels: int | None = None
    columns: tuple[Column, ...] = ()
    fields: Mapping[str, Field] = ()  # type: ignore[assignment]
    labels: str | None = None


def read(
    path: Path, reader: Reader, wanted: Wanted, labels: str | None, fields: Collection[str]
) -> Piece:
    """All rows of a path.

    Args:
        path: the file or folder
        reader: what reads it
        wanted: what the numbers are said to be
        labels: the field that holds labels; None: the one that usually does
        fields: further fields to keep

    Raises:
        DataError: it is damaged, of another format, or holds other values.
    """
    aside = {*fields, *([] if labels is None else [labels])}
    with reader.rows(path, aside) as rows:
        found = typed(rows.x, rows.where, wanted, rows.values, rows.channels)
        labels = labels or rows.labels
        kept = sorted({*fields, *([] if labels is None else [labels])})
        columns = _columns(rows.columns, found.x, wanted)
        levels = found.levels
        if columns and all(c.kind == "bits" for c in columns) and "mask" not in found.extras:
            levels = 1
        return Piece(
            Batch(found.x, extras=found.extras),
            str(path),
            levels,
            columns,
            {name: rows.field(name) for name in kept},
            labels,
        )


def _columns(columns: tuple[Column, ...], x: Tensor, wanted: Wanted) -> tuple[Column, ...]:
    """The columns, as far as they still say what the data are."""
    values = "levels" if wanted.levels is not None else wanted.values
    if x.ndim != 2 or wanted.shape is not None or values == "levels":
        return ()
    if values in ("counts", "corrected"):
        return tuple(replace(c, kind="counts", categories=()) for c in columns)
    return columns


def join(pieces: Sequence[Piece]) -> Piece:
    """Several pieces one behind the other.

    Raises:
        DataError: they hold data of different shapes or columns.
    """
    first = pieces[0]
    if len(pieces) == 1:
        return first
    columns = _joined_columns(pieces)
    shapes = {piece.where: tuple(piece.batch.x.shape[1:]) for piece in pieces}
    if len(set(shapes.values())) > 1:
        said = ", ".join(f"{shape} in {where}" for where, shape in shapes.items())
        raise DataError(f"all parts must hold data of one shape, got {said}")
    batches = [_recoded(piece, columns) for piece in pieces]
    extras = {}
    if any("library" in batch.extras for batch in batches):
        extras["library"] = torch.cat([batch.extras["library"] for batch in batches])
    if any("mask" in batch.extras for batch in batches):
        masks = [b.extras.get("mask", torch.ones(b.x.shape, dtype=torch.bool)) for b in batches]
        extras["mask"] = torch.cat(masks)
    known = [piece.levels for piece in pieces if piece.levels is not None]
    return Piece(
        Batch(torch.cat([batch.x for batch in batches]), extras=extras),
        first.where,
        max(known) if len(known) == len(pieces) else None,
        columns,
        {name: Field.cat([piece.fields[name] for piece in pieces]) for name in first.fields},
        first.labels,
    )


def _joined_columns(pieces: Sequence[Piece]) -> tuple[Column, ...]:
    """The columns of all: the categories of any, and the kind that takes the values of each."""
    columns = []
    names = [[column.name for column in piece.columns] for piece in pieces]
    for piece, other in zip(pieces, names, strict=True):
        if other != names[0]:
            odd = sorted(set(other) ^ set(names[0])) or other
            raise DataError(
                f"{piece.where} must have the columns of {pieces[0].where}, in their order; they "
                f"differ in {', '.join(odd)}"
            )
    for same in zip(*(piece.columns for piece in pieces), strict=True):
        kinds = {column.kind for column in same}
        if "categories" in kinds and len(kinds) > 1:
            raise DataError(
                f"{pieces[0].where}: the column {same[0].name!r} holds texts in some parts and "
                f"numbers in others"
            )
        widest = next(k for k in ("categories", "real", "counts", "bits") if k in kinds)
        categories = tuple(sorted({name for column in same for name in column.categories}))
        columns.append(replace(same[0], kind=widest, categories=categories))
    return tuple(columns)


def _recoded(piece: Piece, columns: tuple[Column, ...]) -> Batch:
    """The rows of a piece with the codes of other categories."""
    x = piece.batch.x
    for place, (own, new) in enumerate(zip(piece.columns, columns, strict=True)):
        if own.categories != new.categories:
            code = torch.tensor([float(new.categories.index(name)) for name in own.categories])
            x[:, place] = code[x[:, place].long()]
    return replace(piece.batch, x=x)
