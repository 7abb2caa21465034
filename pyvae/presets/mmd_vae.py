"""The MMD-VAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("mmd_vae")
def mmd_vae() -> dict[str, Any]:
    """MMD-VAE, the MMD in the place of the KL: Zhao et al. 2017."""
    return {
        "dataset": "mnist",
        "latent_dim": 10,
        "encoder": "conv",
        "decoder": "conv",
        "objective": "mmd_vae",
        "objective_args": {"lambda": 1000.0},
        "lr": 1e-3,
        "batch_size": 200,
        "epochs": 100,
    }
