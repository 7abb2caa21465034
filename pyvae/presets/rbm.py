"""The restricted Boltzmann machine."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("rbm")
def rbm() -> dict[str, Any]:
    """RBM with 500 hidden units on binarized MNIST, by persistent chains: Tieleman 2008.

    The machine that Salakhutdinov & Murray 2008 evaluate by annealed importance sampling.
    """
    return {
        "dataset": "binarized_mnist",
        "model": "rbm",
        "latent_dim": 500,
        "init_output": True,
        "objective": "contrastive_divergence",
        "objective_args": {"persistent": True, "steps": 1, "chains": 100},
        "optimizer": "sgd",
        "lr": 0.05,
        "lr_milestones": [10, 15],
        "lr_gamma": 0.3,
        "batch_size": 100,
        "epochs": 20,
    }
