"""The PixelRNN."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("pixelrnn")
def pixelrnn() -> dict[str, Any]:
    """PixelRNN of 7 Diagonal BiLSTM layers, h = 16, on binarized MNIST: van den Oord et al. 2016,
    sections 5.2 and 5.5."""
    return {
        "dataset": "binarized_mnist",
        "model": "autoregressive",
        "decoder": "pixelrnn",
        "decoder_args": {"lstm": "diagonal", "hidden": 16, "layers": 7},
        "objective": "elbo",
        "optimizer": "rmsprop",
        "lr": 1e-3,
        "batch_size": 16,
        "epochs": 50,
    }
