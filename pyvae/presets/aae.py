"""The adversarial autoencoder."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("aae")
def aae() -> dict[str, Any]:
    """Adversarial autoencoder, two layers of 1000 units everywhere: Makhzani et al. 2015."""
    return {
        "dataset": "mnist",
        "latent_dim": 8,
        "encoder_args": {"hidden": [1000, 1000]},
        "decoder_args": {"hidden": [1000, 1000]},
        "objective": "aae",
        "objective_args": {"hidden": [1000, 1000]},
        "lr": 1e-3,
        "lr_milestones": [50],
        "batch_size": 100,
        "epochs": 100,
    }
