"""Variational Bayes of latents and weights."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("full_vb")
def full_vb() -> dict[str, Any]:
    """Full variational Bayes, decoder weights too: Kingma & Welling 2014, appendix F.

    Networks and optimizer as in the preset ``kingma2014``.
    """
    return {
        "dataset": "mnist",
        "latent_dim": 20,
        "encoder_args": {"hidden": [500], "activation": "tanh"},
        "decoder_args": {"hidden": [500], "activation": "tanh"},
        "init": "normal",
        "objective": "full_vb",
        "optimizer": "adagrad",
        "lr": 0.02,
        "batch_size": 100,
        "epochs": 100,
    }
