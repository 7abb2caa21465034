"""Curves of runs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

from pyvae.plots.files import Path_, new_figure, save_figure

__all__ = ["curve", "curves", "curves_figure", "rate_distortion"]

_Points = list[tuple[float, float]]


def curve(path: Path_, metrics: Path_) -> None:
    """Draw a run's bounds and log-likelihoods against the number of samples seen.

    Args:
        path: the PNG to write
        metrics: the run's ``metrics.csv``
    """
    rows = _rows(metrics)
    drawn = [name for name in (rows[0] if rows else {}) if _is_drawn(name)]
    _draw(path, {_words(name): _points(rows, name) for name in drawn})


def curves(path: Path_, runs: Mapping[str, Path_]) -> None:
    """Draw the held-out bounds of several runs against the number of samples seen.

    Args:
        path: the PNG to write
        runs: the ``metrics.csv`` of each, by the name that the legend gives it
    """
    lines = {}
    for run, metrics in runs.items():
        rows = _rows(metrics)
        for name in rows[0] if rows else {}:
            if _is_drawn(name) and name.endswith("/elbo") and not name.startswith("train/"):
                lines[f"{run}, {_words(name)}"] = _points(rows, name)
    _draw(path, lines)


def rate_distortion(path: Path_, points: Mapping[str, tuple[float, float]]) -> None:
    """Draw the distortion of several runs against their rate (Alemi et al. 2018).

    Args:
        path: the PNG to write
        points: rate and distortion of each in nats per datum, by what is written beside it
    """
    figure = new_figure()
    axes = figure.subplots()
    rates, distortions = zip(*sorted(points.values()), strict=True)
    axes.plot(rates, distortions, "o-", linewidth=1.4)
    for name, place in points.items():
        axes.annotate(name, place, textcoords="offset points", xytext=(6, 4), fontsize=8)
    axes.set_xlabel("rate, KL(q(z|x) || p(z)), nats per datum")
    axes.set_ylabel("distortion, -E log p(x|z)")
    axes.grid(alpha=0.3)
    save_figure(path, figure)


def _rows(metrics: Path_) -> list[dict[str, str]]:
    with open(metrics, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _is_drawn(name: str) -> bool:
    split, _, quantity = name.partition("/")
    return quantity == "elbo" or (quantity == "log_likelihood" and split != "train")


def _words(name: str) -> str:
    return name.replace("/", " ").replace("_", "-")


def _points(rows: Sequence[Mapping[str, str]], name: str) -> _Points:
    return [(float(row["samples"]), float(row[name])) for row in rows if row[name]]


def curves_figure(rows: Sequence[Mapping[str, float]], names: Sequence[str] | None = None) -> Any:
    """Figures of a training against the number of samples seen, as a figure of matplotlib's.

    Args:
        rows: each with ``samples`` and whichever figures it has
        names: the figures to draw; default: bounds and log-likelihoods
    """
    found = dict.fromkeys(name for row in rows for name in row)
    drawn = [name for name in found if _is_drawn(name)] if names is None else names
    lines = {n: [(row["samples"], row[n]) for row in rows if n in row] for n in drawn}
    return _figure({_words(name): points for name, points in lines.items()})


def _draw(path: Path_, lines: Mapping[str, _Points]) -> None:
    save_figure(path, _figure(lines))


def _figure(lines: Mapping[str, _Points]) -> Any:
    """Lines by their label; the first tenth of each, far below the rest, may leave the picture."""
    figure = new_figure()
    axes = figure.subplots()
    seen: list[float] = []
    for label, points in lines.items():
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, label=label, linewidth=1.4)
            seen += y[len(y) // 10 :]
    if seen:
        low, high = min(seen), max(seen)
        margin = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.legend()
    axes.set_xscale("log")
    axes.set_xlabel("training samples seen")
    axes.set_ylabel("nats per datum")
    axes.grid(alpha=0.3)
    return figure
