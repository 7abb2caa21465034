"""The generative model of semi-supervised learning."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("m2")
def m2() -> dict[str, Any]:
    """M2 on MNIST with 100 labels: Kingma, Mohamed, Rezende & Welling 2014, Table 1.

    50 latents, a hidden layer of 500 units in each network, and ten labels a class, whose rows are
    half of each minibatch. Where the paper takes 3000 epochs with softplus units, this takes 20:
    the units are rectified, the classifier has dropout, and a KL that weighs three times as much
    leaves the class to q(y|x).
    """
    network = {"hidden": [500], "activation": "relu"}
    classifier = {**network, "dropout": 0.5, "input_dropout": 0.2}
    return {
        "dataset": "mnist",
        "dataset_args": {"labels_per_class": 10},
        "binarize": "dynamic",
        "model": "m2",
        "model_args": {"classifier_args": classifier},
        "latent_dim": 50,
        "encoder_args": network,
        "decoder_args": network,
        "init_output": True,
        "objective": "semi_supervised",
        "objective_args": {"alpha": 50.0, "beta": 3.0},
        "lr": 2e-3,
        "lr_schedule": "cosine",
        "batch_size": 200,
        "epochs": 20,
    }
