"""The convolutional autoencoder."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("autoencoder_conv")
def autoencoder_conv() -> dict[str, Any]:
    """Convolutional autoencoder with a code of 32 numbers."""
    return {
        "dataset": "mnist",
        "binarize": "none",
        "latent_dim": 32,
        "encoder": "conv",
        "decoder": "conv",
        "objective": "autoencoder",
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 100,
    }
