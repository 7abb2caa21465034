"""The beta-TCVAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("beta_tcvae")
def beta_tcvae() -> dict[str, Any]:
    """beta-TCVAE with beta = 6 on the total correlation: Chen et al. 2018."""
    return {
        "dataset": "mnist",
        "latent_dim": 10,
        "encoder": "conv",
        "decoder": "conv",
        "objective": "tc_vae",
        "objective_args": {"beta": 6.0, "estimator": "mws"},
        "lr": 1e-3,
        "batch_size": 2048,
        "epochs": 100,
    }
