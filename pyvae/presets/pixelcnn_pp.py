"""PixelCNN++."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("pixelcnn_pp")
def pixelcnn_pp() -> dict[str, Any]:
    """PixelCNN++ of three sizes on grey MNIST, smaller than published: Salimans et al. 2017."""
    return {
        "dataset": "mnist",
        "binarize": "none",
        "model": "autoregressive",
        "decoder": "pixelcnn_pp",
        "likelihood": "discretized_logistic_mixture",
        "objective": "elbo",
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 50,
    }
