"""An epoch of scvi.model.SCVI with its own densities and with the ops, in alternating runs."""

from __future__ import annotations

import os
import time
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anndata
import scvi
import torch
from common import Options, Section
from lightning.pytorch.callbacks import Callback

from integration.table import Table
from pyvae.benchmarking import Times
from pyvae.integrations import scvi as ours

EPOCHS, RUNS = 4, 5


class Clock(Callback):
    """Seconds of each epoch of training, but for the first."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        self.begun = time.perf_counter()

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if trainer.current_epoch:
            self.seconds.append(time.perf_counter() - self.begun)


def counts() -> tuple[torch.Tensor, str]:
    folder = os.environ.get("PYVAE_DATA_DIR")
    if folder and (Path(folder) / "scrna").is_dir():
        from pyvae.data.sets.pbmc import pbmc

        return pbmc(data_dir=folder).train.x, "3417 blood cells, 2000 genes"
    rates = torch.rand(3417, 1) * torch.rand(2000).square()
    return torch.poisson(rates), "3417 rows of synthetic counts, 2000 genes"


def train(data: torch.Tensor, likelihood: str, epochs: int, own: bool) -> tuple[float, list[float]]:
    """ELBO after training, and what epochs took."""
    scvi.settings.seed = 0
    table, clock = anndata.AnnData(data.numpy()), Clock()
    scvi.model.SCVI.setup_anndata(table)
    with ours.patched() if own else nullcontext():
        model = scvi.model.SCVI(table, gene_likelihood=likelihood)
        model.train(
            max_epochs=epochs,
            accelerator="cpu",
            enable_progress_bar=False,
            logger=False,
            callbacks=[clock],
        )
        scvi.settings.seed = 1
        return float(model.get_elbo()), clock.seconds


def run(how: Options) -> Section:
    warnings.simplefilter("ignore")
    data, what = counts()
    table = Table("scvi", f"An epoch of scvi.model.SCVI, {what}")
    notes = []
    for likelihood in ("zinb", "nb", "poisson"):
        taken: dict[str, list[float]] = {"before": [], "after": []}
        bounds = {}
        for _ in range(RUNS):
            for name in taken:
                elbo, seconds = train(data, likelihood, EPOCHS, name == "after")
                bounds[name] = elbo
                taken[name] += seconds
        gap = abs(bounds["after"] / bounds["before"] - 1)
        if gap > 1e-3:
            raise SystemExit(f"scvi, {likelihood}: the ELBOs differ: {bounds}")
        table.add(likelihood, {name: Times(tuple(all_)) for name, all_ in taken.items()})
        notes.append(
            f"{likelihood}: ELBO after {EPOCHS} epochs {bounds['before']:.3f} before, "
            f"{bounds['after']:.3f} after"
        )
        table.data[likelihood]["elbo"] = bounds
    return table.section("\n".join(notes))
