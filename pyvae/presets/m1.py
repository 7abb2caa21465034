"""The latent-feature model of semi-supervised learning."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("m1")
def m1() -> dict[str, Any]:
    """M1 on MNIST, a VAE of 50 latents: Kingma, Mohamed, Rezende & Welling 2014, section 4.1.

    Two hidden layers of 600 softplus units. A classifier of its codes, with few labels:
    ``pyvae evaluate RUN --few-labels 10``.
    """
    return {
        "dataset": "mnist",
        "binarize": "dynamic",
        "latent_dim": 50,
        "encoder_args": {"hidden": [600, 600], "activation": "softplus"},
        "decoder_args": {"hidden": [600, 600], "activation": "softplus"},
        "objective": "elbo",
        "lr": 1e-3,
        "epochs": 100,
    }
