"""Whole systems by name: the settings of a training run, as their papers have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvae.config_files import overlaid

# One import per preset: importing it registers it.
from pyvae.presets import (  # noqa: F401
    aae,
    autoencoder,
    autoencoder_conv,
    beta_tcvae,
    beta_vae,
    beta_vae_capacity,
    cvae,
    denoising,
    denoising_vae,
    dlgm,
    factor_vae,
    full_vb,
    gated_pixelcnn,
    helmholtz,
    infovae,
    iwae,
    iwae2,
    kingma2014,
    m1,
    m1m2,
    m2,
    made,
    miwae,
    mmd_vae,
    pixelcnn,
    pixelcnn_pp,
    pixelrnn,
    pixelvae,
    rbm,
    reinforce,
    wake_sleep,
    warm_up,
)
from pyvae.registry import presets

__all__ = ["with_preset"]


def with_preset(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a preset, in which those that are given take precedence.

    Options of a part are added to the preset's. If another part is given than the preset's, the
    preset's options for it are dropped. Given epochs replace the preset's steps, and vice versa.

    Args:
        name: one of ``pyvae.registry.presets.names()``
        given: settings of :class:`pyvae.config.TrainConfig`

    Raises:
        UnknownPartError: no preset has this name.

    >>> settings = with_preset("iwae", {"objective_args": {"estimator": "dreg"}, "steps": 10})
    >>> settings["objective_args"], "epochs" in settings
    ({'num_samples': 50, 'estimator': 'dreg'}, False)
    >>> with_preset("iwae", {"objective": "elbo"})["objective_args"]
    {}
    """
    return overlaid(presets.create(name), given)
