"""Rows of before and after."""

from __future__ import annotations

from typing import Any

from common import Section

from pyvae.benchmarking import Times, markdown

HEAD = ["milliseconds", "before", "after", "ratio"]


class Table:
    """Collects what two variants took.

    Args:
        name: of the section
        title: of the section
    """

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title
        self.rows: list[list[str]] = []
        self.data: dict[str, Any] = {}

    def add(self, work: str, times: dict[str, Times]) -> None:
        """A race of "before" and "after"."""
        before, after = times["before"].median, times["after"].median
        ratio = before / after
        self.rows.append([work, f"{1e3 * before:.3g}", f"{1e3 * after:.3g}", f"{ratio:.2f}x"])
        us = {name: taken.summary() for name, taken in times.items()}
        self.data[work] = {"ratio": ratio, "us": us}

    def section(self, *notes: str) -> Section:
        text = "\n\n".join([markdown(HEAD, self.rows), *notes])
        return Section(self.name, self.title, text, self.data)
