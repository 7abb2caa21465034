"""What a reader of files is, and what it hands over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pyvae.data.columns import Column
from pyvae.data.fields import Field, Fields
from pyvae.errors import DataError, UserError

__all__ = ["Reader", "Rows", "list_of", "said_of"]

_SHOWN = 20  # names in a message


@dataclass(frozen=True)
class Rows:
    """The rows of a file or folder, while it is open.

    Args:
        x: numbers (N, ...): whatever has a shape, a dtype of numpy and slices of rows
        where: the path, and the item in it, for messages
        fields: further values of the rows, by name
        labels: the field that holds labels when nothing is said
        columns: what each column of x is, where it is a table
        values: what the numbers are when nothing is said (see
            :class:`~pyvae.data.form.Wanted`); None: what their dtype says
        channels: where images have their channels when nothing is said; None: found
    """

    x: Any
    where: str
    fields: Mapping[str, Field] = field(default_factory=Fields)
    labels: str | None = None
    columns: tuple[Column, ...] = ()
    values: str | None = None
    channels: str | None = None

    def field(self, name: str) -> Field:
        """The field of this name.

        Raises:
            DataError: there is none, or it has not one value for each row.
        """
        if name not in self.fields:
            raise DataError(
                f"{self.where} has no {name!r} beside the data; there is {list_of(self.fields)}"
            )
        found, rows = self.fields[name], self.x.shape[0]
        if found.values.shape != (rows,):
            raise DataError(
                f"{self.where}: {name} must hold {rows} values, one for each row, got "
                f"{found.values.shape}"
            )
        return found


class Reader(ABC):
    """Reads files or folders of one kind; its options are those of its constructor.

    Register a subclass with ``@pyvae.registry.readers.register("name")``, or announce it by the
    entry point ``pyvae.readers``: ``--dataset PATH`` then takes its files. ``suffixes`` are the
    endings of their names, in lower case.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def knows(cls, path: Path) -> bool:
        """Whether a path is of this kind: by the end of its name, unless a reader looks closer."""
        return bool(cls.suffixes) and path.name.lower().endswith(cls.suffixes)

    @abstractmethod
    def rows(self, path: Path, aside: Collection[str]) -> AbstractContextManager[Rows]:
        """Open a path.

        Args:
            path: the file or folder, which exists
            aside: the fields that are asked for, as labels or conditions, which are no part of x

        Raises:
            DataError: it is damaged, or of another format.
            MissingExtraError: the library that reads it is not installed.
        """


@contextmanager
def said_of(path: Path | str, kind: str) -> Iterator[None]:
    """Whatever a library says of bad bytes becomes one sentence with the place.

    Raises:
        DataError: in the place of any other error.
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise DataError(f"{path} takes more memory than there is: {error}") from error
    except Exception as error:  # a decoder of damaged bytes may raise anything
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise DataError(f"{path} is damaged or not {kind}: {said}") from error


def list_of(names: Collection[str]) -> str:
    """Names with commas between, the first of them where they are many."""
    names = list(names)
    more = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
