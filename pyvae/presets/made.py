"""The masked autoencoder for density estimation."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("made")
def made() -> dict[str, Any]:
    """MADE with two layers of 500 units on binarized MNIST: Germain et al. 2015."""
    return {
        "dataset": "binarized_mnist",
        "model": "autoregressive",
        "decoder": "made",
        "decoder_args": {"hidden": [500, 500]},
        "objective": "elbo",
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 50,
    }
