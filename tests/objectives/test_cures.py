"""Every cure of posterior collapse trains by the command line, and resumes to the same numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pyvae.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--eval-samples", "0", "--batch-size", "500", "--steps", "12"]

ELBO = "--objective-args"
AGGRESSIVE = ["--objective", "aggressive_inference", "--objective-args"]
RATE = ["--posterior", "delta_gaussian", "--posterior-args", "committed_rate=2"]

CURES = {
    "free bits of the batch": [ELBO, "free_bits=2"],
    "free bits of each datum": [ELBO, "free_bits=2", "free_bits_per=datum", "beta=2"],
    "free bits of each latent": [ELBO, "free_bits=0.1", "free_bits_per=latent", "num_samples=2"],
    "cycles in steps": [ELBO, "warm_up_steps=2", "warm_up_from=0.2", "cycle=5"],
    "cycles in epochs": [ELBO, "warm_up_epochs=1", "cycle=2", "free_bits=1"],
    "a rate by construction": RATE,
    "aggressive inference": [*AGGRESSIVE, "window=2", "max_steps=4"],
    "aggressive inference for a while": [*AGGRESSIVE, "max_steps=2", "stage_steps=6"],
    "aggressive inference of other objectives": [
        *AGGRESSIVE,
        "window=1",
        "max_steps=2",
        "objective=full_vb",
    ],
    "aggressive inference of corrupted data": [
        "--objective",
        "denoising",
        "--objective-args",
        "objective=aggressive_inference",
        "window=1",
        "max_steps=2",
    ],
}


@pytest.mark.parametrize("cure", CURES)
def test_it_trains_and_resumes(cure: str, tmp_path: Path, stop_at: Callable[[int], None]) -> None:
    """Bitwise: weights and whatever else the run ends with."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = [*SMALL, *CURES[cure]]
    assert main(["train", "--out", str(whole), *options]) == 0
    assert math.isfinite(json.loads((whole / "results.json").read_text())["elbo"])
    stop_at(7)
    assert main(["train", "--out", str(parts), *options]) == 130
    torch.manual_seed(99)
    assert main(["train", "--resume", str(parts), "--quiet"]) == 0
    ends = [load_file(run / "checkpoint.safetensors") for run in (whole, parts)]
    assert ends[0].keys() == ends[1].keys()
    assert not [key for key in ends[0] if not torch.equal(ends[0][key], ends[1][key])]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([*RATE, "--prior", "diagonal_gaussian"], "is made for the prior standard_normal, got the"),
        ([ELBO, "free_bits=1", "capacity=2"], "give free_bits or capacity, not both"),
        (
            [ELBO, "free_bits=1", "free_bits_per=pixel"],
            "must be 'batch' or 'datum' or 'latent', got",
        ),
        (
            [ELBO, "free_bits=1", "free_bits_per=latent", "--posterior", "full_gaussian"],
            "needs independent latents",
        ),
        ([*AGGRESSIVE, "window=0"], "window must be at least 1, got 0"),
        ([*AGGRESSIVE, "objective=aae"], "the inner objective must have one phase"),
        ([*AGGRESSIVE, "betta=2"], "betta"),
        (
            ["--objective", "full_vb", "--objective-args", "objective=aggressive_inference"],
            "aggressive_inference goes around full_vb",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--out", str(tmp_path / "run"), *SMALL, *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
