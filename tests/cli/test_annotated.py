"""Codes, data and scores as .h5ad, beside what is known of the cells."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pyvae.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--steps", "20", "--eval-samples", "3"]


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Cells with names, types and batches, and a run of them."""
    anndata = pytest.importorskip("anndata", reason='pip install "pyvae-fused[anndata]"')
    import pandas as pd

    folder = tmp_path_factory.mktemp("annotated")
    kinds = pd.Categorical(["T cell", "B cell", None] * 20)
    obs = pd.DataFrame({"type": kinds, "age": np.arange(60.0), "pyvae_split": "old"})
    obs.index = pd.Index([f"cell-{i}" for i in range(60)], name="barcode")
    var = pd.DataFrame(index=[f"gene-{i}" for i in range(12)])
    x = np.random.default_rng(0).poisson(2.0, (60, 12)).astype(np.float32) + 1
    file, out = folder / "cells.h5ad", folder / "run"
    anndata.AnnData(x, obs, var).write_h5ad(file)
    made = ["--dataset", str(file), "--dataset-args", "labels=type", "--latent-dim", "3"]
    made += ["--likelihood", "negative_binomial", "--batch-size", "20"]
    assert main(["train", "--out", str(out), *SMALL, *made]) == 0
    return file, out


def test_codes_of_annotated_data_are_beside_what_is_known_of_them(
    annotated: tuple[Path, Path], tmp_path: Path
) -> None:
    import anndata

    source, run = anndata.read_h5ad(annotated[0]), str(annotated[1])
    file, plain = tmp_path / "z.h5ad", tmp_path / "z.npy"
    for name in (file, plain):
        assert main(["encode", run, "--out", str(name)]) == 0
    found = anndata.read_h5ad(file)
    assert np.array_equal(found.obsm["X_pyvae"], np.load(plain))
    assert list(found.obs_names) == list(source.obs_names) and found.X is None
    for column in ("type", "age"):
        assert found.obs[column].equals(source.obs[column])
    assert set(found.obs["pyvae_split"]) == {"train", "valid", "test"}
    source.obsm["X_pyvae"] = found[source.obs_names].obsm["X_pyvae"]  # as one would use it
    assert main(["decode", run, "--z", str(file), "--out", str(tmp_path / "x.h5ad")]) == 0
    assert anndata.read_h5ad(tmp_path / "x.h5ad").X.shape == (60, 12)
    few = ["--split", "train", "--subset", "9", "--samples", "5"]
    assert main(["score", run, *few, "--out", str(file)]) == 0
    assert main(["score", run, *few, "--out", str(tmp_path / "s.csv")]) == 0
    found, rows = anndata.read_h5ad(file), list(csv.DictReader((tmp_path / "s.csv").open()))
    assert list(found.obs_names) == [f"cell-{row['row']}" for row in rows]
    scores = [float(row["log_likelihood"]) for row in rows]
    assert np.allclose(found.obs["pyvae_log_likelihood"], scores)
    assert (found.obs["pyvae_standard_error"] > 0).all()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["s.csv", "x.h5ad", "z.h5ad", "z.npy"]


def test_annotated_data_in_a_file_for_each_split(
    annotated: tuple[Path, Path], tmp_path: Path
) -> None:
    import anndata

    whole, folder = anndata.read_h5ad(annotated[0]), tmp_path / "parts"
    folder.mkdir()
    for name, rows in {
        "test": slice(50, 60),
        "train": slice(0, 40),
        "valid": slice(40, 50),
    }.items():
        whole[rows].write_h5ad(folder / f"{name}.h5ad")
    options = ["--dataset", str(folder), "--dataset-args", "labels=type"]
    out = tmp_path / "z.h5ad"
    assert main(["encode", str(annotated[1]), *options, "--out", str(out)]) == 0
    found = anndata.read_h5ad(out)
    for name, rows in {
        "test": slice(50, 60),
        "train": slice(0, 40),
        "valid": slice(40, 50),
    }.items():
        names = found.obs_names[found.obs["pyvae_split"] == name]
        assert list(names) == list(whole.obs_names[rows])
