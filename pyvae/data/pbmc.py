"""Blood cells: counts of 2000 genes in 4271 single cells."""

from __future__ import annotations

import os
from dataclasses import replace

from pyvae.data.base import DataSplits
from pyvae.data.files import Source, fetch
from pyvae.data.h5 import h5
from pyvae.registry import datasets

__all__ = ["pbmc"]


@datasets.register("pbmc")
def pbmc(*, data_dir: str | os.PathLike[str] | None = None, log1p: bool = False) -> DataSplits:
    """UMI counts of 2000 genes in 4271 blood cells of 8 types, split 3417 / 427 / 427.

    Source: 10x Genomics, 4k PBMC, CC BY 4.0, as ``10X_PBMC_top2000.h5`` (X: counts, Y: cell types)
    of scDCC (Tian et al. 2021); put the file into the data folder.

    Args:
        data_dir: where the file lies
        log1p: log(1 + x) instead of counts x, for likelihoods over real values
    """
    path = fetch("scrna", Source("10X_PBMC_top2000.h5"), data_dir)
    counts = h5(path=path, name="pbmc")
    return counts.map(lambda split: replace(split, x=split.x.log1p())) if log1p else counts
