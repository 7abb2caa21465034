"""Presets with an autoregressive decoder resume to the same numbers, dropout and all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pyvae.presets  # noqa: F401  registers them
from pyvae import registry
from pyvae.cli import main
from pyvae.decoders import AutoregressiveDecoder

pytestmark = pytest.mark.usefixtures("one_thread")

SMALLER = {
    "made": ["hidden=16"],
    "pixelcnn": ["channels=8", "blocks=1"],
    "gated_pixelcnn": ["channels=8", "layers=2"],
    "pixelvae": ["channels=8", "layers=2"],
    "pixelrnn": ["hidden=4", "layers=1"],
    "pixelcnn_pp": ["channels=8", "layers=1", "sizes=2"],
}


def is_autoregressive(preset: str) -> bool:
    decoder = registry.presets.create(preset).get("decoder", "mlp")
    return issubclass(registry.decoders.get(decoder), AutoregressiveDecoder)  # type: ignore[arg-type]


PRESETS = [
    name
    for name in registry.presets.names()
    if not registry.presets.is_plugin(name) and is_autoregressive(name)
]


def test_all_are_here() -> None:
    assert {*SMALLER} <= {*PRESETS}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_resume(
    name: str, tmp_path: Path, grey_digits: Path, stop_at: Callable[[int], None]
) -> None:
    grey = "discretized" in registry.presets.create(name).get("likelihood", "")
    options = ["--preset", name, "--dataset", str(grey_digits) if grey else "digits"]
    options += ["--steps", "6", "--batch-size", "20"]
    options += ["--eval-samples", "0", "--quiet", "--decoder-args", *SMALLER.get(name, [])]
    assert main(["train", "--out", str(tmp_path / "whole"), *options]) == 0
    stop_at(3)
    assert main(["train", "--out", str(tmp_path / "parts"), *options]) == 130
    torch.manual_seed(99)
    assert main(["train", "--resume", str(tmp_path / "parts"), "--quiet"]) == 0
    whole, parts = (
        load_file(tmp_path / run / "checkpoint.safetensors") for run in ("whole", "parts")
    )
    assert whole.keys() == parts.keys()
    assert not [key for key in whole if not torch.equal(whole[key], parts[key])]
