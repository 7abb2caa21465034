"""The FactorVAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("factor_vae")
def factor_vae() -> dict[str, Any]:
    """FactorVAE with gamma = 35 and a discriminator of six layers: Kim & Mnih 2018."""
    return {
        "dataset": "mnist",
        "latent_dim": 10,
        "encoder": "conv",
        "decoder": "conv",
        "objective": "factor_vae",
        "objective_args": {"gamma": 35.0},
        "lr": 1e-4,
        "batch_size": 64,
        "steps": 300_000,
    }
