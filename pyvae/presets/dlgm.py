"""The deep latent Gaussian model."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("dlgm")
def dlgm() -> dict[str, Any]:
    """Deep latent Gaussian model of two layers, rank-1 recognition: Rezende et al. 2014, MNIST.

    Deterministic layers of 200 rectified linear units lie between data and 200 + 200 latents,
    whose noise is recognised layer by layer; the free energy has a normal prior on the weights.
    """
    return {
        "dataset": "binarized_mnist",
        "model": "deep_latent",
        "model_args": {
            "latent_dims": [200, 200],
            "hidden": [200],
            "activation": "relu",
            "inference": "noise",
            "variance": "constant",
        },
        "encoder_args": {"hidden": [200], "activation": "relu"},
        "decoder_args": {"hidden": [200], "activation": "relu"},
        "posterior": "rank1_gaussian",
        "objective": "elbo",
        "objective_args": {"weight_prior": "normal"},
        "lr": 1e-3,
        "batch_size": 200,
        "epochs": 200,
    }
