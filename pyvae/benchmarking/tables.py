"""Results as markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pyvae.benchmarking.result import COPY, Result

__all__ = ["markdown", "op_table", "si_bytes", "si_seconds"]

_BIG = 2**20  # bytes moved, below which a bandwidth says nothing


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns line up; all but the first to the right.

    >>> print(markdown(["op", "us"], [["kl", "12"]]))
    | op | us |
    |----|---:|
    | kl | 12 |
    """
    body = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *body]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), f"|{'|'.join(rule)}|", *map(line, body)])


def si_seconds(seconds: float) -> str:
    """A time in microseconds, with three digits at least."""
    us = 1e6 * seconds
    return f"{us:,.0f}" if us >= 100 else f"{us:.1f}"


def si_bytes(count: int) -> str:
    """
    >>> si_bytes(12_845_056), si_bytes(64)
    ('12.8 MB', '64 B')
    """
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def op_table(
    results: Iterable[Result], targets: Mapping[str, Mapping[str, float]] | None = None
) -> str:
    """Times in microseconds, ratios to pyvae (with targets where there are any), GB/s and memory.

    Args:
        results: one for each row
        targets: name of a work -> variant -> the least ratio
    """
    rows = []
    for result in results:
        wanted = (targets or {}).get(result.work.name, {})
        cells = [result.work.name]
        for name in ("eager", "compile", "pyvae"):
            ran = name in result.times
            cells.append(si_seconds(result.times[name].median) if ran else "-")
        for name in ("eager", "compile"):
            cells.append(_ratio(result.ratio(name), wanted.get(name)))
        fast = result.bytes_moved >= _BIG
        cells.append(
            f"{result.bandwidth('pyvae'):.1f} / {result.bandwidth(COPY):.1f}" if fast else "-"
        )
        cells.append(
            " / ".join(si_bytes(m.extra) for m in result.memory.values()) if result.memory else "-"
        )
        cells.append(f"{100 * result.noise_floor:.1f} %")
        rows.append(cells)
    head = ["forward + backward, microseconds", "eager", "compile", "pyvae", "vs eager"]
    head += ["vs compile", "GB/s / copy", "extra memory e / c / p", "noise"]
    return markdown(head, rows)


def _ratio(ratio: float | None, target: float | None) -> str:
    if ratio is None:
        return "-"
    text = f"{ratio:.2f}x"
    if target is not None:
        text += f" (>= {target:g}: {'pass' if ratio >= target else 'FAIL'})"
    return text
