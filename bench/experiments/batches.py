"""Cells of two batches: what a condition takes out of the code.

    python bench/experiments/batches.py --data-dir DATA [--epochs 30] [--threads 2]

The published cells are one batch. Half of them get a technical effect that is known: in a third of
the genes, most of the molecules are lost. Two models of the counts are trained, one of which is
given the batch as a condition, and their codes compared by silhouettes: how well the codes tell
batches, which they should not, and types of cells, which they should.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import silhouette_score

import pyvae
from pyvae.data import load

LOST, GENES = 0.8, 1 / 3  # of the molecules, in so many of the genes


def cells(data_dir: str, seed: int = 0) -> anndata.AnnData:
    """All cells, each with its batch and type."""
    whole = load("pbmc", data_dir)
    x = torch.cat([split.x for split in whole.splits.values()]).numpy()
    y = torch.cat([split.y for split in whole.splits.values()]).numpy()
    rng = np.random.default_rng(seed)
    second = rng.random(len(x)) < 0.5
    genes = rng.random(x.shape[1]) < GENES
    here = np.ix_(second, genes)
    x[here] = rng.binomial(x[here].astype(int), 1 - LOST)
    kept = x.sum(1) > 0
    obs = pd.DataFrame({"batch": np.where(second, "second", "first"), "type": y.astype(str)})
    obs.index = obs.index.astype(str)
    return anndata.AnnData(x[kept], obs=obs[kept])


def codes(path: Path, condition: bool, epochs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The means of q(z|x) of the test cells, their batches and their types."""
    data = load(path, labels="type", conditions="batch")
    torch.manual_seed(0)
    model = pyvae.VAE(
        data.data_shape,
        latent_dim=10,
        likelihood="negative_binomial",
        encoder_args={"hidden": [128]},
        decoder_args={"hidden": [128]},
        condition_dim=data.conditions.dim if condition else 0,
    )
    pyvae.fit(model, data, epochs=epochs, progress=False)
    with torch.no_grad():
        z = model.infer(data.test)[0].mean
    batch = data.test.extras["condition"].argmax(1)
    return z.numpy(), batch.numpy(), data.test.y.numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| model | silhouette by batch | by type |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.h5ad"
        cells(arguments.data_dir).write_h5ad(path)
        for name, condition in (("without a condition", False), ("given the batch", True)):
            z, batch, kind = codes(path, condition, arguments.epochs)
            scores = silhouette_score(z, batch), silhouette_score(z, kind)
            print(f"| {name} | {scores[0]:.3f} | {scores[1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
