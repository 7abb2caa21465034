"""Text files of tables as data frames, a part of the lines at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pyvae.data.memory import fits
from pyvae.data.readers.csv_text import MISSING, check_lines, check_names, separator_of
from pyvae.errors import DataError, optional

__all__ = ["CsvFrames"]

_BLOCK = 2**24  # bytes of text that are read at a time where a file is large
_HELD = 6  # times the memory of its text is what a table takes at the most
_BOM = b"\xef\xbb\xbf"  # before UTF-8 text, sometimes
_QUOTED = 4  # blocks that may lie between two quotation marks


class CsvFrames:
    """A text file of a table: :class:`pyvae.data.readers.frame.Frames`.

    The types of columns are those of all their values, so that the first look at a large file reads
    it whole, as each later one does. A file that fits into memory is read once.

    Args:
        path: the file
        separator: what stands between two values; None: found
        header: whether the first line holds the names of the columns

    Raises:
        DataError: what is no table, with the line.
    """

    def __init__(self, path: Path, separator: str | None, header: bool) -> None:
        self._path, self._separator = path, separator or separator_of(path)
        size = path.stat().st_size
        self._block = size + 1 if fits(_HELD * size) else _BLOCK
        with open(path, "rb") as file:
            first = self._first_line(file)
        self.columns: list[str] = []
        self._head, self._skipped = b"", len(first)  # what stands before each block; and is read
        self.columns = self._parsed(first, 0, has_header=header).columns
        if header:
            check_names(self.columns, path)
            self._head = first
        else:
            self._head = self._separator.join(self.columns).encode() + b"\n"
            self._skipped = len(_BOM) if first.startswith(_BOM) else 0
        self._types: dict[str, Any] = {}
        self._whole: Any = None  # the frame, where there is one alone
        self._find_types()

    def read(self, columns: Sequence[str]) -> Iterator[Any]:
        """Some of the columns, frame by frame."""
        if self._whole is not None:
            yield self._whole.select(columns)
            return
        for text, before in self._texts():
            types = {name: self._types[name] for name in columns}
            yield self._parsed(
                self._head + text, before, columns=list(columns), schema_overrides=types
            ).select(columns)

    def _find_types(self) -> None:
        """The type of each column, that of all values that are not missing."""
        polars = optional("polars", "tables")
        blocks = 0
        for text, before in self._texts():
            frame = self._parsed(self._head + text, before, infer_schema_length=None)
            if frame.height and frame[:, -1].null_count():  # a row that is cut short ends so
                self._check(text, before)
            for series in frame.get_columns():
                if series.null_count() < len(series):
                    before_it = self._types.get(series.name, series.dtype)
                    self._types[series.name] = _common(before_it, series.dtype)
            blocks += 1
        self._types = {name: self._types.get(name, polars.String) for name in self.columns}
        if blocks == 1:
            self._whole = frame
        elif not blocks:
            self._whole = self._parsed(self._head, 0)

    def _parsed(self, text: bytes, before: int, **options: Any) -> Any:
        polars = optional("polars", "tables")
        try:
            return polars.read_csv(
                io.BytesIO(text),
                separator=self._separator,
                null_values=list(MISSING),
                try_parse_dates=False,
                **options,
            )
        except (Exception, polars.exceptions.PanicException) as error:
            self._check(text[len(self._head) :], before)
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(f"{self._path} is damaged or not a table: {said}") from error

    def _check(self, text: bytes, before: int) -> None:
        check_lines(text, self._separator, self._path, len(self.columns), before)

    def _first_line(self, file: IO[bytes]) -> bytes:
        """The first line, with all that its quotation marks hold."""
        line = file.readline(self._block)
        while line.count(b'"') % 2 and len(line) < self._block:
            more = file.readline(self._block)
            if not more:
                break
            line += more
        return line

    def _texts(self) -> Iterator[tuple[bytes, int]]:
        """The lines after the first, in blocks of whole rows, and how many come before each."""
        with open(self._path, "rb") as file:
            lines = file.read(self._skipped).count(b"\n")
            rest = b""
            while True:
                more = file.read(self._block)
                text = rest + more
                last = len(more) < self._block
                end = len(text) if last else _end_of_rows(text)
                if end:
                    yield text[:end], lines
                    lines += text.count(b"\n", 0, end)
                if last:
                    return
                rest = text[end:]
                if len(rest) > _QUOTED * self._block:
                    raise DataError(
                        f"{self._path}: line {lines + 1} opens a quotation mark that nothing closes"
                    )


def _end_of_rows(text: bytes) -> int:
    """The place behind the last end of a line that is not between quotation marks; 0: none."""
    quotes, end = text.count(b'"'), len(text)
    while True:
        at = text.rfind(b"\n", 0, end)
        if at < 0:
            return 0
        quotes -= text.count(b'"', at, end)
        if quotes % 2 == 0:
            return at + 1
        end = at


def _common(one: Any, other: Any) -> Any:
    """The type that takes the values of both, as polars finds it of all of them."""
    polars = optional("polars", "tables")
    if one == other:
        return one
    return polars.Float64 if one.is_numeric() and other.is_numeric() else polars.String
