"""The importance weighted autoencoder with two stochastic layers."""

from __future__ import annotations

from typing import Any

from pyvae.presets.iwae import iwae
from pyvae.registry import presets


@presets.register("iwae2")
def iwae2() -> dict[str, Any]:
    """IWAE with 50 samples: Burda et al. 2016, Table 1, two stochastic layers, MNIST.

    100 latents behind layers of 200 tanh units, 50 latents behind layers of 100; all else as in the
    preset ``iwae``.
    """
    settings = {
        **iwae(),
        "model": "deep_latent",
        "model_args": {"latent_dims": [100, 50], "hidden": [100, 100], "activation": "tanh"},
    }
    del settings["latent_dim"]
    return settings
