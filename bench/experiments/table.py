"""A table of several kinds of columns: samples of a VAE beside the real rows.

    python bench/experiments/table.py TABLE.csv [--drop COLUMN ...] [--parts PART ...] [--epochs N]

Made for ``penguins.csv``, which the package palmerpenguins ships (Horst, Hill and Gorman 2020): 344
penguins, of which some cells are empty. The likelihood is ``mixed``, its parts are those of the
columns unless they are given (lengths in whole millimetres are no counts), and the objective is
that of the preset ``miwae``. Drawn are the marginals of all columns, and the correlations of all
pairs, categories as their codes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from figures import save
from matplotlib.figure import Figure
from runs import parser, train, write

from pyvae.cli.run_arguments import open_run
from pyvae.data import DataSplits
from pyvae.models.base import Model

DRAWN = 5000


def opened(folder: Path) -> tuple[Model, DataSplits]:
    """The model of a run, and its data."""
    import argparse

    nowhere = argparse.Namespace(run=folder, dataset=None, data_dir=None, device="cpu")
    _, model, view = open_run(nowhere)
    return model.eval(), view.data


def correlations(rows: np.ndarray) -> np.ndarray:
    """Of each pair of columns, over the rows that have both (NaN: missing)."""
    d, found = rows.shape[1], np.eye(rows.shape[1])
    for i in range(d):
        for j in range(i):
            both = np.isfinite(rows[:, i]) & np.isfinite(rows[:, j])
            found[i, j] = found[j, i] = np.corrcoef(rows[both, i], rows[both, j])[0, 1]
    return found


def main() -> None:
    made = parser(__doc__ or "", epochs=300)
    made.add_argument("table", type=Path)
    made.add_argument("--drop", nargs="*", default=[], help="columns to leave out")
    made.add_argument("--parts", nargs="*", default=[], help="the likelihoods of the columns")
    options = made.parse_args()
    given = ["--preset", "miwae", "--dataset", str(options.table), "--likelihood", "mixed"]
    given += ["--dataset-args", f"drop={','.join([*options.drop, ''])}"] if options.drop else []
    given += ["--likelihood-args", f"parts={','.join(options.parts)}"] if options.parts else []
    given += ["--latent-dim", "3", "--epochs", str(options.epochs), "--eval-samples", "100"]
    run = train("table", given, options)
    model, data = opened(run.folder)
    splits = data.splits.values()
    real = torch.cat([torch.where(s.extras["mask"], s.x, torch.nan) for s in splits]).numpy()
    torch.manual_seed(0)
    drawn = model.sample(DRAWN, mean=False).numpy()
    d = len(data.columns)
    figure = Figure(figsize=(2.1 * ((d + 1) // 2 + 2), 4.4), layout="constrained")
    grid = figure.add_gridspec(2, (d + 1) // 2 + 2)
    for k, column in enumerate(data.columns):
        axes = figure.add_subplot(grid[k % 2, k // 2])
        seen = real[np.isfinite(real[:, k]), k]
        if column.kind in ("categories", "bits"):
            edges = np.arange(max(2, len(column.categories)) + 1) - 0.5
            axes.set_xticks(range(len(edges) - 1), column.categories or ("0", "1"), fontsize=7)
        else:
            edges = np.linspace(seen.min(), seen.max(), 16)
        for values, name in ((seen, "real"), (drawn[:, k], "samples")):
            axes.hist(values, edges, density=True, alpha=0.5, label=name)
        axes.set_title(column.name, fontsize=9)
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
        if not k:
            axes.legend(fontsize=7)
    matrices = {"real": correlations(real), "samples": correlations(drawn)}
    for row, (name, matrix) in enumerate(matrices.items()):
        axes = figure.add_subplot(grid[row, -2:])
        image = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu")
        axes.set_title(f"correlations, {name}", fontsize=9)
        axes.set_xticks([])
        axes.set_yticks(range(d), [c.name for c in data.columns], fontsize=7)
        figure.colorbar(image, ax=axes)
    save(figure, options.images / "table.png")
    pairs = np.tril_indices(d, -1)
    away = np.abs(matrices["real"] - matrices["samples"])[pairs]
    print(f"correlations: mean difference {away.mean():.3f}, largest {away.max():.3f}")
    content = {"epochs": options.epochs, "log_likelihood": run.results.get("log_likelihood")}
    write(options, "table", {**content, "correlations_off": [away.mean(), away.max()]})


if __name__ == "__main__":
    main()
