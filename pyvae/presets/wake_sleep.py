"""Wake-sleep training of a VAE."""

from __future__ import annotations

from typing import Any

from pyvae.presets.kingma2014 import kingma2014
from pyvae.registry import presets


@presets.register("wake_sleep")
def wake_sleep() -> dict[str, Any]:
    """Wake-sleep for the VAE of Kingma & Welling 2014, their comparison in Fig. 2.

    All as in the preset ``kingma2014``, but for the objective.
    """
    settings = {**kingma2014(), "objective": "wake_sleep"}
    del settings["objective_args"]
    return settings
