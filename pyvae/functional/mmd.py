"""The maximum mean discrepancy of two samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def mmd(
    x: Tensor,
    y: Tensor,
    *,
    kernel: str = "rbf",
    scales: Sequence[float] = (1.0,),
    unbiased: bool = False,
) -> Tensor:
    """The squared MMD of two samples: mean k(x, x') + mean k(y, y') - 2 mean k(x, y).

    Gretton et al., "A kernel two-sample test", 2012, equations 3 and 5. Kernels of the squared
    distance s, summed over the scales: exp(-s / (2 scale^2)) ("rbf") and C / (C + s) with
    C = 2 D scale^2 ("imq"; Tolstikhin et al., "Wasserstein auto-encoders", 2018).

    Args:
        x: ``(N, D)``.
        y: ``(M, D)``.
        kernel: "rbf" or "imq".
        scales: one or more.
        unbiased: leave out k(x_i, x_i) and k(y_i, y_i).

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> mmd(torch.ones(3, 2), torch.ones(4, 2)).item()
        0.0
    """
    if kernel not in ("rbf", "imq"):
        raise ValueError(f"mmd: kernel must be 'rbf' or 'imq', got {kernel!r}")

    def total(a: Tensor, b: Tensor) -> Tensor:
        s = (a[:, None] - b).square().sum(-1)
        if kernel == "rbf":
            each = [torch.exp(-s / (2 * scale**2)) for scale in scales]
        else:
            each = [1 / (1 + s / (2 * a.shape[1] * scale**2)) for scale in scales]
        return torch.stack(each).sum()

    def within(a: Tensor) -> Tensor:
        n = len(a)
        if unbiased:
            return (total(a, a) - n * len(scales)) / (n * (n - 1))
        return total(a, a) / n**2

    return within(x) + within(y) - 2 * total(x, y) / (len(x) * len(y))
