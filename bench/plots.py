"""Bars of the measured times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLOURS = {"eager": "#9aa5b1", "compile": "#5b8fb9", "pyvae": "#d1495b"}


def plot_ops(data: list[dict[str, Any]], path: Path) -> None:
    """Time of each work relative to pyvae's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.62 * len(data) + 1.2))
    for row, result in enumerate(data):
        own = result["times_us"]["pyvae"]["median"]
        for i, (name, colour) in enumerate(COLOURS.items()):
            if name not in result["times_us"]:
                continue
            time = result["times_us"][name]["median"]
            label = name if row == 0 else None
            axes.barh(row + 0.26 * (i - 1), time / own, 0.24, color=colour, label=label)
            told = f" {time:,.0f} us" if time >= 100 else f" {time:.1f} us"
            axes.text(time / own, row + 0.26 * (i - 1), told, va="center", fontsize=7)
    axes.set_yticks(range(len(data)), [result["work"] for result in data], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_xlabel("time, forward + backward (pyvae = 1)")
    axes.legend(loc="lower right", fontsize=8)
    _save(figure, path)


def plot_steps(data: list[dict[str, Any]], path: Path) -> None:
    """Loss tax of each setting."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    colours = {**COLOURS, "pyvae in place": "#8f2d3b"}
    figure, axes = plt.subplots(figsize=(7, 3.2))
    for place, setting in enumerate(data):
        for i, (name, colour) in enumerate(colours.items()):
            if name not in setting["tax"]:
                continue
            tax, label = 100 * setting["tax"][name], name if place == 0 else None
            axes.bar(place + 0.2 * (i - 1.5), tax, 0.18, color=colour, label=label)
            axes.text(
                place + 0.2 * (i - 1.5),
                max(tax, 0),
                f"{tax:.1f}",
                ha="center",
                va="bottom",
                fontsize=7,
            )
    axes.set_xticks(range(len(data)), [setting["setting"] for setting in data], fontsize=8)
    axes.set_ylabel("loss tax, % of the networks alone")
    axes.legend(fontsize=8)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=150)
