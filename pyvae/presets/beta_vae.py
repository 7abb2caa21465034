"""The beta-VAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("beta_vae")
def beta_vae() -> dict[str, Any]:
    """beta-VAE with beta = 4 and 10 latents: Higgins et al. 2017."""
    return {
        "dataset": "mnist",
        "latent_dim": 10,
        "encoder": "conv",
        "decoder": "conv",
        "objective": "elbo",
        "objective_args": {"beta": 4.0},
        "lr": 5e-4,
        "batch_size": 64,
        "epochs": 100,
    }
