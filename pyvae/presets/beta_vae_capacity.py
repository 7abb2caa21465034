"""The beta-VAE with a rising capacity."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("beta_vae_capacity")
def beta_vae_capacity() -> dict[str, Any]:
    """beta-VAE whose KL follows a capacity that rises to 25 nats: Burgess et al. 2018."""
    return {
        "dataset": "mnist",
        "latent_dim": 10,
        "encoder": "conv",
        "decoder": "conv",
        "objective": "elbo",
        "objective_args": {"beta": 1000.0, "capacity": 25.0, "warm_up_steps": 100_000},
        "lr": 5e-4,
        "batch_size": 64,
        "steps": 150_000,
    }
