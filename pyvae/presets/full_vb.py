"""Variational Bayes of latents and weights."""

from __future__ import annotations

from typing import Any

from pyvae.presets.kingma2014 import kingma2014
from pyvae.registry import presets


@presets.register("full_vb")
def full_vb() -> dict[str, Any]:
    """Full variational Bayes, decoder weights too: Kingma & Welling 2014, appendix F.

    Networks and optimizer as in the preset ``kingma2014``.
    """
    settings = {**kingma2014(), "objective": "full_vb"}
    del settings["objective_args"]
    return settings
