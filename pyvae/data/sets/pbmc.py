"""Blood cells: counts of 2000 genes in 4271 single cells."""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from pyvae.data.base import DataSplits, Split
from pyvae.data.file import file
from pyvae.data.files import Source, fetch
from pyvae.data.matrices import check_counts
from pyvae.errors import DataError
from pyvae.registry import datasets

__all__ = ["pbmc"]


@datasets.register("pbmc")
def pbmc(*, data_dir: str | os.PathLike[str] | None = None, keep: float = 1.0) -> DataSplits:
    """UMI counts of 2000 genes in 4271 blood cells of 8 types, split 3417 / 427 / 427.

    Source: 10x Genomics, 4k PBMC, CC BY 4.0, as ``10X_PBMC_top2000.h5`` (X: counts, Y: cell types)
    of scDCC (Tian et al. 2021); put the file into the data folder.

    Args:
        data_dir: where the file lies
        keep: the share of molecules to keep, drawn once: cells as if sequenced less deeply

    Raises:
        DataError: no such file, a share outside (0, 1], or one that leaves a cell empty.
    """
    if not 0 < keep <= 1:
        raise DataError(f"pbmc: keep must be above 0 and at most 1, got {keep}")
    path = fetch("scrna", Source("10X_PBMC_top2000.h5"), data_dir)
    counts = file(path=path, name="pbmc")
    if keep < 1:
        generator = torch.Generator().manual_seed(0)
        counts = counts.map(lambda split: _thinned(split, keep, generator))
    return counts


def _thinned(split: Split, keep: float, generator: torch.Generator) -> Split:
    x = torch.binomial(split.x, torch.full_like(split.x, keep), generator=generator)
    check_counts(x, f"pbmc with keep={keep}")
    return replace(split, x=x, extras={"library": x.sum(1)})
