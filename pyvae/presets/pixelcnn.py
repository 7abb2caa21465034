"""The PixelCNN."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("pixelcnn")
def pixelcnn() -> dict[str, Any]:
    """PixelCNN of 7 blocks on binarized MNIST: van den Oord et al. 2016, table 1."""
    return {
        "dataset": "binarized_mnist",
        "model": "autoregressive",
        "decoder": "pixelcnn",
        "objective": "elbo",
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 50,
    }
