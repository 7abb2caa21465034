"""The PixelVAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("pixelvae")
def pixelvae() -> dict[str, Any]:
    """A VAE whose decoder is a small gated PixelCNN, which sees z and the pixels before:
    Gulrajani et al. 2017 (PixelVAE)."""
    return {
        "dataset": "binarized_mnist",
        "latent_dim": 20,
        "encoder": "conv",
        "decoder": "gated_pixelcnn",
        "decoder_args": {"channels": 32, "layers": 3, "first_size": 5, "size": 3},
        "objective": "elbo",
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 50,
    }
