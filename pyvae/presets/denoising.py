"""The denoising autoencoder."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("denoising")
def denoising() -> dict[str, Any]:
    """Denoising autoencoder, a quarter of the pixels masked: Vincent et al. 2008."""
    return {
        "dataset": "mnist",
        "binarize": "none",
        "latent_dim": 500,
        "encoder_args": {"hidden": [500], "activation": "sigmoid"},
        "decoder_args": {"hidden": []},
        "objective": "denoising",
        "objective_args": {"corruption": "masking", "level": 0.25},
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 100,
    }
