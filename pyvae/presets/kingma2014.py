"""The VAE of the first paper."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("kingma2014")
def kingma2014() -> dict[str, Any]:
    """The VAE of Kingma & Welling 2014 on MNIST: 500 tanh units a side, 20 latents, Adagrad.

    Section 5: minibatches of 100, one sample, a step size of those tried, N(0, 1) priors on the
    weights. The paper sees 1e8 samples, 2000 epochs.
    """
    return {
        "dataset": "mnist",
        "latent_dim": 20,
        "encoder_args": {"hidden": [500], "activation": "tanh"},
        "decoder_args": {"hidden": [500], "activation": "tanh"},
        "init": "normal",
        "objective": "elbo",
        "objective_args": {"estimator": "B", "weight_prior": "normal"},
        "optimizer": "adagrad",
        "lr": 0.02,
        "batch_size": 100,
        "epochs": 100,
    }
