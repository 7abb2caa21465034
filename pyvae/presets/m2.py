"""The generative model of semi-supervised learning."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("m2")
def m2() -> dict[str, Any]:
    """M2 on MNIST with 100 labels: Kingma, Mohamed, Rezende & Welling 2014, Table 1.

    50 latents, a hidden layer of 500 softplus units in each network, and ten labels a class, whose
    rows are half of each minibatch.
    """
    return {
        "dataset": "mnist",
        "dataset_args": {"labels_per_class": 10},
        "binarize": "dynamic",
        "model": "m2",
        "model_args": {"classifier_args": {"hidden": [500], "activation": "softplus"}},
        "latent_dim": 50,
        "encoder_args": {"hidden": [500], "activation": "softplus"},
        "decoder_args": {"hidden": [500], "activation": "softplus"},
        "objective": "semi_supervised",
        "lr": 1e-3,
        "batch_size": 200,
        "epochs": 100,
    }
