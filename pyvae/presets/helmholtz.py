"""The Helmholtz machine."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("helmholtz")
def helmholtz() -> dict[str, Any]:
    """Helmholtz machine trained by wake-sleep on 8 x 8 digits: Hinton et al. 1995.

    The layers of the paper, 64-16-16-4 from the data up.
    """
    return {
        "dataset": "digits",
        "model": "helmholtz",
        "model_args": {"hidden": [16, 16, 4]},
        "objective": "wake_sleep",
        "optimizer": "sgd",
        "lr": 0.1,
        "batch_size": 10,
        "epochs": 100,
    }
