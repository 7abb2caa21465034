"""``pyvae watch``."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyvae.errors import UserError, optional

if TYPE_CHECKING:
    from pyvae.training import RunFolder

__all__ = ["add_arguments", "run", "screen"]

Row = Mapping[str, float]

NUMBERS = ("step", "epoch", "samples", "seconds", "lr")
CLEAR = "\x1b[H\x1b[2J"  # of a terminal: the cursor home, the screen empty
SIZE = (80, 24)  # columns and lines where there is no terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument(
        "--figures",
        nargs="+",
        metavar="NAME",
        help="columns of metrics.csv (default: bounds and log-likelihoods)",
    )
    parser.add_argument(
        "--every", type=_seconds, default=2.0, metavar="S", help="seconds between two looks"
    )
    parser.add_argument("--once", action="store_true", help="draw once, and end")


def run(arguments: argparse.Namespace) -> int:
    """Draw the curves of a run again and again, until it ends; once where there is no terminal."""
    optional("plotext", "watch")
    from pyvae.training import RunFolder

    folder, terminal = RunFolder(arguments.run), sys.stdout.isatty()
    while True:
        size = shutil.get_terminal_size(SIZE)
        drawn, goes_on = screen(
            folder, arguments.figures, size.columns, size.lines - 1, colours=terminal
        )
        print(f"{CLEAR if terminal else ''}{drawn}", flush=True)
        if arguments.once or not terminal or not goes_on:
            return 0
        time.sleep(arguments.every)


def screen(
    folder: RunFolder,
    figures: Sequence[str] | None,
    width: int,
    height: int,
    *,
    colours: bool = False,
) -> tuple[str, bool]:
    """What a run looks like now, in a terminal of this size, and whether it is still training.

    Args:
        folder: of the run
        figures: the columns to draw; None: bounds and log-likelihoods
        width, height: columns and lines of the terminal
        colours: whether it shows them

    Raises:
        UserError: there is no such run, it is damaged, or has no such figure.
    """
    from pyvae.training.lock import writer_of
    from pyvae.training.loggers import read_rows

    config = folder.config()
    writer = writer_of(folder.path)
    columns, found = read_rows(folder.metrics)
    rows = [{name: float(value) for name, value in row.items() if value} for row in found]
    wrong = [name for name in figures or () if name not in columns]
    if wrong and rows:
        raise UserError(f"{folder.metrics} has no {wrong[0]}; it has {', '.join(columns)}")
    if (folder.path / "results.json").is_file():
        state = "complete"
    else:
        state = f"trained by {writer}" if writer else "stopped"
    title = f"{folder.path}: {state}"
    if not rows:
        return f"{title}, nothing recorded yet", writer is not None
    last: dict[str, float] = {}
    for row in rows:
        last |= row
    steps = config.total_steps(round(last["step"] / last["epoch"]))
    told = f"step {last['step']:.0f} of {steps}, epoch {last['epoch']:.4g}"
    told += f", {_rate(rows):.3g} steps/s"
    terms = [f"{n} {v:.4g}" for n, v in last.items() if n not in NUMBERS]
    lines = [title[:width], told[:width], *_wrapped(terms, width)]
    drawn = figures or [n for n in columns if n.endswith("/elbo") or n.endswith("log_likelihood")]
    drawn = [name for name in drawn if figures or name != "train/log_likelihood"] or columns[5:6]
    chart = _chart(rows, drawn, width, max(height - len(lines), 8))
    if not colours:
        chart = optional("plotext", "watch").uncolorize(chart)
    return "\n".join([*lines, chart]), writer is not None


def _chart(rows: Sequence[Row], names: Sequence[str], width: int, height: int) -> str:
    """Figures against steps; the first tenth of each may leave the picture."""
    plotext: Any = optional("plotext", "watch")
    plotext.clear_figure()
    for colour in (plotext.canvas_color, plotext.axes_color, plotext.ticks_color):
        colour("default")
    plotext.plot_size(width, height)
    seen: list[float] = []
    for name in names:
        points = [(row["step"], row[name]) for row in rows if name in row]
        if points:
            steps, values = zip(*points, strict=True)
            plotext.plot(list(steps), list(values), label=name.replace("/", " "))
            seen += values[len(values) // 10 :]
    if seen:
        margin = 0.05 * (max(seen) - min(seen)) or 1.0
        plotext.ylim(min(seen) - margin, max(seen) + margin)
    plotext.xlabel("step")
    text: str = plotext.build()
    return text


def _rate(rows: Sequence[Row]) -> float:
    """Steps per second, lately."""
    first, last = rows[max(0, len(rows) - 6)], rows[-1]
    if first is last:
        first = {"step": 0.0, "seconds": 0.0}
    spent = last["seconds"] - first["seconds"]
    return (last["step"] - first["step"]) / spent if spent > 0 else 0.0


def _wrapped(words: Sequence[str], width: int) -> list[str]:
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}, {word}" if lines[-1] else word
        if len(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"must be a positive number of seconds, got {text}")
    return value
