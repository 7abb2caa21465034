"""Wake-sleep training of a VAE."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("wake_sleep")
def wake_sleep() -> dict[str, Any]:
    """Wake-sleep for the VAE of Kingma & Welling 2014, their comparison in Fig. 2.

    All as in the preset ``kingma2014``, but for the objective.
    """
    return {
        "dataset": "mnist",
        "latent_dim": 20,
        "encoder_args": {"hidden": [500], "activation": "tanh"},
        "decoder_args": {"hidden": [500], "activation": "tanh"},
        "init": "normal",
        "objective": "wake_sleep",
        "optimizer": "adagrad",
        "lr": 0.02,
        "batch_size": 100,
        "epochs": 100,
    }
