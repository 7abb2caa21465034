"""The importance weighted autoencoder."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("iwae")
def iwae() -> dict[str, Any]:
    """IWAE with 50 samples: Burda et al. 2016, Table 1, one stochastic layer, MNIST.

    3^i passes at a learning rate of 1e-3 * 10^(-i/7), i = 0, ..., 7; pixels are binarized anew for
    each minibatch; the decoder starts at the mean of the data.
    """
    return {
        "dataset": "mnist",
        "binarize": "dynamic",
        "latent_dim": 50,
        "encoder_args": {"hidden": [200, 200], "activation": "tanh"},
        "decoder_args": {"hidden": [200, 200], "activation": "tanh"},
        "init": "glorot",
        "init_output": True,
        "objective": "iwae",
        "objective_args": {"num_samples": 50},
        "optimizer": "adam",
        "optimizer_args": {"eps": 1e-4},
        "lr": 1e-3,
        "lr_milestones": [1, 4, 13, 40, 121, 364, 1093],
        "lr_gamma": 10 ** (-1 / 7),
        "batch_size": 20,
        "epochs": 3280,
    }
