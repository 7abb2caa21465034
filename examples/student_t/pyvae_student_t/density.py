"""The log-density: its reference, and the op that student_t.h makes of it."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from pyvae.extension import load_library


def reference(
    x: Tensor, mean: Tensor, log_scale: Tensor, df: Tensor, batch_ndim: int = 1
) -> Tensor:
    """log p(x) of Student t variables in nats, summed over all but ``batch_ndim`` dimensions.

    "Student", "The probable error of a mean", 1908.

    Args:
        x: ``(*batch, *event)``.
        mean: the same event shape; batch dimensions may be missing or 1.
        log_scale: a number, or any tensor that broadcasts.
        df: degrees of freedom, positive; likewise.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.
    """
    double = torch.float64 in (x.dtype, mean.dtype, log_scale.dtype, df.dtype)
    dtype = torch.float64 if double else torch.float32
    x, mean, log_scale, df = (t.to(dtype) for t in (x, mean, log_scale, df))
    square = ((x - mean) * torch.exp(-log_scale)).square()
    log_prob = (
        torch.lgamma((df + 1) / 2)
        - torch.lgamma(df / 2)
        - 0.5 * torch.log(math.pi * df)
        - log_scale
        - (df + 1) / 2 * torch.log1p(square / df)
    )
    return log_prob.flatten(batch_ndim).sum(-1) if log_prob.ndim > batch_ndim else log_prob


student_t_log_prob = load_library(
    Path(__file__).parent / "densities.so",
    {"student_t_log_prob": reference},
    namespace="pyvae_student_t",
)["student_t_log_prob"]
