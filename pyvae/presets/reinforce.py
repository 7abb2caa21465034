"""A sigmoid belief network by score-function gradients."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("reinforce")
def reinforce() -> dict[str, Any]:
    """A sigmoid belief network by score-function gradients: Mnih & Gregor 2014.

    Five samples of 200 binary units, each with the mean of the others as its baseline (Mnih &
    Rezende 2016).
    """
    return {
        "dataset": "mnist",
        "model": "helmholtz",
        "model_args": {"hidden": [200]},
        "init_output": True,
        "objective": "elbo",
        "objective_args": {
            "estimator": "reinforce",
            "baseline": "leave_one_out",
            "num_samples": 5,
        },
        "lr": 3e-4,
        "batch_size": 20,
        "epochs": 100,
    }
