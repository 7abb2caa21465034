"""The denoising VAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("denoising_vae")
def denoising_vae() -> dict[str, Any]:
    """Denoising VAE, salt and pepper on a tenth of the pixels: Im et al. 2017."""
    return {
        "dataset": "mnist",
        "latent_dim": 50,
        "encoder_args": {"hidden": [200, 200], "activation": "tanh"},
        "decoder_args": {"hidden": [200, 200], "activation": "tanh"},
        "objective": "denoising",
        "objective_args": {
            "corruption": "salt_and_pepper",
            "level": 0.1,
            "objective": "elbo",
            "num_samples": 5,
        },
        "lr": 1e-3,
        "batch_size": 100,
        "epochs": 100,
    }
