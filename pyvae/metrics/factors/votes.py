"""Which latent stands still when a factor is held fixed: the score of FactorVAE."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from pyvae.metrics.factors.common import checked

__all__ = ["factor_vae_score"]

ACTIVE = 0.01  # variance of a latent's mean below which it says nothing (Burda et al. 2016)
VOTES, ROWS = 800, 64  # how many votes to learn from and to judge, and rows for each


def factor_vae_score(codes: Tensor, factors: Tensor, seed: int = 0) -> float:
    """The accuracy with which the latent that varies least tells which factor was held fixed.

    Kim & Mnih 2018, section 4: of rows that share the value of one factor, the latent whose
    variance is smallest against its variance over all data votes for that factor; the majority of
    800 votes names a factor for each latent, and 800 more are judged. Latents that do not vary
    over the data take no part. Chance is one over the number of factors.

    Args:
        codes: (N, D)
        factors: whole numbers (N, F)
        seed: of the choices

    Raises:
        ValueError: shapes that do not belong together, or fewer than 100 rows.
    """
    z, v = checked(codes, factors)
    z = z[:, z.var(0) > ACTIVE]
    if not z.shape[1]:
        return 0.0
    z = z / z.std(0)
    generator = np.random.default_rng(seed)
    counts = np.zeros((2, z.shape[1], v.shape[1]))
    for half in counts:
        for factor in generator.integers(v.shape[1], size=VOTES):
            value = v[generator.integers(len(v)), factor]
            same = np.flatnonzero(v[:, factor] == value)
            some = z[generator.choice(same, ROWS)]
            half[some.var(0).argmin(), factor] += 1
    train, judged = counts
    return float(judged[np.arange(len(judged)), train.argmax(1)].sum() / VOTES)
