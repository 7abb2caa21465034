"""The gated PixelCNN."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("gated_pixelcnn")
def gated_pixelcnn() -> dict[str, Any]:
    """Gated PixelCNN of 7 layers on binarized MNIST: van den Oord et al. 2016b."""
    return {
        "dataset": "binarized_mnist",
        "model": "autoregressive",
        "decoder": "gated_pixelcnn",
        "objective": "elbo",
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 50,
    }
