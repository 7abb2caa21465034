"""The deep autoencoder."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("autoencoder")
def autoencoder() -> dict[str, Any]:
    """Deep autoencoder of 1000-500-250-30 units: Hinton & Salakhutdinov 2006, from scratch."""
    return {
        "dataset": "mnist",
        "binarize": "none",
        "latent_dim": 30,
        "encoder_args": {"hidden": [1000, 500, 250]},
        "decoder_args": {"hidden": [250, 500, 1000]},
        "objective": "autoencoder",
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 100,
    }
