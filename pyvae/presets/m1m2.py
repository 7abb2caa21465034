"""The stacked model of semi-supervised learning."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("m1m2")
def m1m2() -> dict[str, Any]:
    """M1+M2 on MNIST with 100 labels: Kingma, Mohamed, Rezende & Welling 2014, Table 1.

    M1 has two hidden layers of 600 softplus units and 50 latents, M2 one of 500. Both are trained
    at once, where the paper trains M1 to the end first.
    """
    return {
        "dataset": "mnist",
        "dataset_args": {"labels_per_class": 10},
        "binarize": "dynamic",
        "model": "m1m2",
        "model_args": {"hidden": [500], "activation": "softplus"},
        "latent_dim": 50,
        "encoder_args": {"hidden": [600, 600], "activation": "softplus"},
        "decoder_args": {"hidden": [600, 600], "activation": "softplus"},
        "objective": "semi_supervised",
        "lr": 1e-3,
        "batch_size": 200,
        "epochs": 60,
    }
