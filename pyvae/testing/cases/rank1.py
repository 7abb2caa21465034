"""Gaussians whose precision is diagonal plus rank one."""

from __future__ import annotations

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import noise_seed

ROWS = [
    OpCase(
        name="rank1_gaussian_rsample_kl",
        function=F.rank1_gaussian_rsample_kl,
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {"mean": (b, d), "log_precision": (b, d), "u": (b, d), "seed": ()},
        arguments=tensors("mean", "log_precision", "u", "seed"),
        differentiable=("mean", "log_precision", "u"),
        learned=("mean", "log_precision", "u"),
        draw={"seed": noise_seed},
    ),
]
