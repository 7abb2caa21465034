"""How far single latents stand for single factors of the data, where the factors are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pyvae.metrics.factors.forests import dci
from pyvae.metrics.factors.gaps import entropies, mig, mutual_information, sap
from pyvae.metrics.factors.votes import factor_vae_score

__all__ = [
    "Disentanglement",
    "dci",
    "disentanglement",
    "entropies",
    "factor_vae_score",
    "mig",
    "mutual_information",
    "sap",
]


@dataclass(frozen=True)
class Disentanglement:
    """Scores of codes against factors, each 1 at its best.

    Args:
        mig: mutual information gap, see :func:`mig`
        sap: separated attribute predictability, see :func:`sap`
        disentanglement, completeness, informativeness: see :func:`dci`
        factor_vae: see :func:`factor_vae_score`, whose worst is chance, not 0
    """

    mig: float
    sap: float
    disentanglement: float
    completeness: float
    informativeness: float
    factor_vae: float


def disentanglement(
    codes: Tensor, factors: Tensor, categorical: Sequence[int] = (), seed: int = 0
) -> Disentanglement:
    """All scores of codes against factors.

    Args:
        codes: posterior means (N, D)
        factors: the number of each factor's value (N, F), whole numbers
        categorical: the columns of factors whose values have no order
        seed: of the choices that some scores make

    Raises:
        ValueError: shapes that do not belong together, or fewer than 100 rows.
        MissingExtraError: scikit-learn is not installed.
    """
    trees = dci(codes, factors, categorical, seed)
    return Disentanglement(
        mig(codes, factors),
        sap(codes, factors, categorical, seed),
        *trees,
        factor_vae=factor_vae_score(codes, factors, seed),
    )
