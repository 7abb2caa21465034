"""A VAE whose KL warms up."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("warm_up")
def warm_up() -> dict[str, Any]:
    """A VAE whose KL rises to its full weight in 200 epochs: Sønderby et al. 2016."""
    return {
        "dataset": "mnist",
        "binarize": "dynamic",
        "latent_dim": 64,
        "encoder_args": {"hidden": [512, 512], "activation": "leaky_relu"},
        "decoder_args": {"hidden": [512, 512], "activation": "leaky_relu"},
        "objective": "elbo",
        "objective_args": {"warm_up_epochs": 200},
        "lr": 1e-3,
        "batch_size": 256,
        "epochs": 2000,
    }
