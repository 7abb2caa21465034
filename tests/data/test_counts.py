"""Corrected counts, from the file to the trained model: only where both sides are asked to."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pyvae.cli import main
from pyvae.likelihoods.counts import CountLikelihood
from pyvae.registry import likelihoods

COUNTS = np.random.default_rng(0).poisson(2.0, (40, 7)) + 1.0
NAMES = [name for name in likelihoods.names() if issubclass(likelihoods.get(name), CountLikelihood)]


def test_they_are_all_likelihoods_of_counts() -> None:
    assert NAMES == [
        "multinomial",
        "negative_binomial",
        "poisson",
        "zero_inflated_negative_binomial",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_fractions_are_taken_only_when_asked_for(name: str) -> None:
    x = torch.tensor([[1.1387, 0.0, 3.0]])
    with pytest.raises(ValueError, match="not all of them whole; for corrected counts take frac"):
        likelihoods.create(name, data_shape=(3,)).check(x)
    likelihood = likelihoods.create(name, data_shape=(3,), fractions=True)
    likelihood.check(x)
    assert likelihood.contains(torch.tensor([[1.5, 0.0, 1.0], [1.0, -0.5, 2.0]])).tolist() == [
        True,
        False,
    ]
    for bad in (-0.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="x must be"):
            likelihood.check(torch.tensor([[1.5, bad, 1.0]]))


@pytest.mark.parametrize("name", NAMES)
def test_the_log_probability_joins_those_of_whole_numbers(name: str) -> None:
    """Between whole numbers it lies on the chord or little above it: it is concave in x."""
    likelihood = likelihoods.create(name, data_shape=(1,), fractions=True)
    side = {key: torch.tensor(20.0) for key in likelihood.side_inputs}
    p = likelihood(torch.zeros(likelihood.param_shape), **side)
    low, middle, high = (p.log_prob(torch.tensor([x])).item() for x in (2.0, 2.5, 3.0))
    assert (low + high) / 2 - 1e-5 <= middle < (low + high) / 2 + 0.1


@pytest.mark.parametrize("name", NAMES)
def test_training_on_corrected_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, out = tmp_path / "cells.h5", tmp_path / "run"
    with h5py.File(path, "w") as file:
        file["X"] = COUNTS * 1.1387
    small = ["--steps", "3", "--batch-size", "8", "--eval-samples", "2", "--quiet"]
    train = ["train", "--dataset", str(path), "--likelihood", name, "--out", str(out), *small]
    assert main(train) == 2
    assert "values=corrected" in capsys.readouterr().err
    train += ["--dataset-args", "values=corrected"]
    assert main(train) == 2
    assert "fractions=true" in capsys.readouterr().err
    assert main([*train, "--likelihood-args", "fractions=true"]) == 0
    results = json.loads((out / "results.json").read_text())
    assert np.isfinite(results["log_likelihood"])
    assert results.get("bits_per_dim") is None  # it is the code length of whole numbers only
    assert main(["evaluate", str(out), "--samples", "2"]) == 0
