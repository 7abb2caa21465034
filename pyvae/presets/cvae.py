"""The conditional VAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("cvae")
def cvae() -> dict[str, Any]:
    """A conditional VAE of MNIST, q(z|x, y), p(z|y) and p(x|z, y): Sohn, Lee & Yan 2015.

    In the paper the condition is a part of the image; here it is the class of the digit.
    """
    return {
        "dataset": "mnist",
        "condition": ["label"],
        "binarize": "dynamic",
        "latent_dim": 20,
        "encoder_args": {"hidden": [500, 500]},
        "decoder_args": {"hidden": [500, 500]},
        "prior": "conditional_gaussian",
        "objective": "elbo",
        "epochs": 100,
    }
