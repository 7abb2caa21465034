r"""The pathwise gradient of samples of a mixture of Gaussians.

The distributional transform maps a sample to independent uniform variables, dimension by dimension
(Figurnov et al. 2018, section 3.1):

.. math::
    S_d(z) = \sum_k w_{kd} \Phi\!\left(\frac{z_d - m_{kd}}{\sigma_{kd}}\right), \quad
    w_{kd} \propto w_k \prod_{j < d} N(z_j; m_{kj}, \sigma_{kj}^2)

At fixed uniform variables dz = -(dS/dz)^-1 dS/dtheta, with a triangular Jacobian dS/dz.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["mixture_path"]


class _Path(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, means: Tensor, logvars: Tensor, log_weights: Tensor) -> Tensor:
        ctx.save_for_backward(z, means, logvars, log_weights)
        return z.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, *given = ctx.saved_tensors
        grads = _gradients(grad.double(), z.double(), *(t.double() for t in given))
        return None, *(
            g.sum_to_size(t.shape).to(t.dtype) for g, t in zip(grads, given, strict=True)
        )


def _gradients(
    grad: Tensor, z: Tensor, means: Tensor, logvars: Tensor, log_weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """-grad^T (dS/dz)^-1 dS/dtheta, for means and logvars (..., K, D) and log_weights (..., K)."""
    scale = (logvars / 2).exp()
    gap = (z.unsqueeze(-2) - means) / scale
    log_density = -0.5 * (gap.square() + logvars + math.log(2 * math.pi))
    before = log_density.cumsum(-1) - log_density
    weights = (log_weights.unsqueeze(-1) + before).softmax(-2)  # (..., K, D)
    below = torch.special.ndtr(gap)
    uniforms = (weights * below).sum(-2)
    # How S_d moves with the weights' logarithms, and those with z_j.
    share = weights * (below - uniforms.unsqueeze(-2))
    slope = -gap / scale
    lower = torch.einsum("...kd,...kj->...dj", share, slope)
    density = (weights * log_density.exp()).sum(-2)
    tiny = torch.finfo(density.dtype).tiny
    jacobian = lower.tril(-1) + torch.diag_embed(density.clamp(min=tiny))
    back = torch.linalg.solve_triangular(jacobian.mT, grad.unsqueeze(-1), upper=True).squeeze(-1)
    # Backwards through S: of the log-weights, of the log-densities that they hold, of the gaps.
    of_logit = -back.unsqueeze(-2) * share
    of_density = of_logit.flip(-1).cumsum(-1).flip(-1) - of_logit
    normal = log_density.exp() * scale
    of_gap = -back.unsqueeze(-2) * weights * normal - gap * of_density
    return -of_gap / scale, -0.5 * (gap * of_gap + of_density), of_logit.sum(-1)


def mixture_path(z: Tensor, means: Tensor, logvars: Tensor, log_weights: Tensor) -> Tensor:
    """The sample z (*sample, *batch, D) itself, with its gradient in the mixture's parameters.

    Args:
        z: a sample, without a gradient
        means, logvars: (*batch, K, D)
        log_weights: normalized, (*batch, K)
    """
    path: Tensor = _Path.apply(  # type: ignore[no-untyped-call]
        z, means, logvars, log_weights
    )
    return path
