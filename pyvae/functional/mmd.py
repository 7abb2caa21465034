"""The maximum mean discrepancy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ._arguments import numbers, ops

KERNELS = ("rbf", "imq")


def mmd(
    x: Tensor,
    y: Tensor,
    *,
    kernel: str = "rbf",
    scales: Sequence[float] = (1.0,),
    unbiased: bool = False,
) -> Tensor:
    """The squared maximum mean discrepancy of two samples: 0 in the mean where they agree.

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y): Gretton et al., "A kernel two-sample test",
    2012, equations 3 and 5, as a divergence of q(z) from p(z) in InfoVAE (Zhao, Song and Ermon,
    2017) and in Wasserstein auto-encoders (Tolstikhin et al., 2018, algorithm 2). The kernel is a
    sum over scales s,

        rbf: exp(-|x - y|^2 / (2 s^2)),    imq: C / (C + |x - y|^2) with C = 2 d s^2.

    The pairs are taken tile by tile: nothing of the size B x C is stored.

    Args:
        x: ``(B, d)``, such as samples of q(z).
        y: ``(C, d)``, such as samples of p(z).
        kernel: "rbf" or "imq", the inverse multiquadric, whose tails are heavier.
        scales: of the kernels, positive: at most 64.
        unbiased: leave out the pairs of a row with itself; the result may then be negative.

    Returns:
        A scalar, float32 at least.

    Raises:
        ValueError: the shapes do not fit, a sample has no row (unbiased: less than two), or a scale
            is not positive and finite.

    Example:
        >>> import torch
        >>> x, y = torch.tensor([[0.0]]), torch.tensor([[2.0]])
        >>> mmd(x, y)  # 1 + 1 - 2 exp(-2)
        tensor(1.7293)
        >>> mmd(x, y, kernel="imq")  # 1 + 1 - 2 * 2 / (2 + 4)
        tensor(1.3333)
    """
    if kernel not in KERNELS:
        raise ValueError(f"mmd: kernel must be 'rbf' or 'imq', got {kernel!r}")
    if not torch.compiler.is_compiling():  # a look at a value would compile again for another one
        for scale in scales:
            if not (math.isfinite(scale) and scale > 0):
                raise ValueError(f"mmd: scales must be positive and finite, got {scale}")
    return ops.mmd.default(x, y, numbers(scales, x), kernel == "imq", unbiased)  # type: ignore[no-any-return]
