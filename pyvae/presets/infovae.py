"""The InfoVAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("infovae")
def infovae() -> dict[str, Any]:
    """InfoVAE with alpha = 0 and lambda = 1000 on the MMD: Zhao et al. 2017."""
    return {
        "dataset": "mnist",
        "latent_dim": 10,
        "encoder": "conv",
        "decoder": "conv",
        "objective": "infovae",
        "objective_args": {"alpha": 0.0, "lambda": 1000.0},
        "lr": 1e-3,
        "batch_size": 200,
        "epochs": 100,
    }
