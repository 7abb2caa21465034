"""Gaussians whose precision is diagonal plus rank one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import OpDistribution, broadcast, one_event, precise
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.functional import rank1_gaussian_rsample_kl

__all__ = ["Rank1Gaussian"]

Self = TypeVar("Self", bound="Rank1Gaussian")

LOG_2PI = math.log(2 * math.pi)


class Rank1Gaussian(OpDistribution):
    r"""The normal distribution N(mean, C), C^-1 = diag(exp(log_precision)) + u u^T.

    .. math:: \log p(x) = -\tfrac12 \big[ d \log 2\pi - \log|C^{-1}| + \sum_i e^{l_i} (x_i - m_i)^2
        + (u \cdot (x - m))^2 \big], \quad
        \log|C^{-1}| = \sum_i l_i + \log\big(1 + \sum_i u_i^2 e^{-l_i}\big)

    Equal to ``MultivariateNormal(mean, precision_matrix=...)`` of ``torch.distributions`` in time
    and memory of a few vectors. Its latents are correlated along one direction, u, in which the
    distribution is narrower than the diagonal one; u = 0 is :class:`DiagonalGaussian`. Rezende,
    Mohamed & Wierstra 2014, equations 14 to 16.

    Args:
        mean: (*batch, d)
        log_precision: logarithm of the precision's diagonal part; broadcasts with the mean
        u: the rank-one part; broadcasts with the mean
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: a parameter is not a floating-point tensor.
        ValueError: shapes that do not broadcast or have no dimension, or a NaN among validated
            parameters or values.

    >>> q = Rank1Gaussian(torch.zeros(3, 2), torch.zeros(3, 2), torch.ones(3, 2))
    >>> q.batch_shape, q.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> q.covariance_matrix[0]
    tensor([[ 0.6667, -0.3333],
            [-0.3333,  0.6667]])
    >>> q.rsample((5,)).shape
    torch.Size([5, 3, 2])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.real,
        "log_precision": constraints.real,
        "u": constraints.real,
    }
    support = constraints.real_vector

    def __init__(
        self,
        mean: Tensor,
        log_precision: Tensor,
        u: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        parameters = {"mean": mean, "log_precision": log_precision, "u": u}
        for name, t in parameters.items():
            if not isinstance(t, Tensor) or not t.is_floating_point():
                got = t.dtype if isinstance(t, Tensor) else type(t).__name__
                raise TypeError(f"Rank1Gaussian: {name} must be a floating-point tensor, got {got}")
        try:
            shape = broadcast(broadcast(mean.shape, log_precision.shape), u.shape)
        except RuntimeError:
            shapes = ", ".join(f"{name} {tuple(t.shape)}" for name, t in parameters.items())
            raise ValueError(f"Rank1Gaussian: {shapes} do not broadcast") from None
        if not shape:
            raise ValueError("Rank1Gaussian: mean must have shape (*batch, d), got ()")
        given = {name: t.expand(shape) for name, t in parameters.items()}
        self._split(shape, 1, validate_args, given)

    @property
    def mean(self) -> Tensor:
        return self._given["mean"]

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def log_precision(self) -> Tensor:
        return self._given["log_precision"]

    @property
    def u(self) -> Tensor:
        return self._given["u"]

    @property
    def variance(self) -> Tensor:
        return self._deviation().square().to(self.mean.dtype)

    @property
    def stddev(self) -> Tensor:
        return self._deviation().to(self.mean.dtype)

    def _deviation(self) -> Tensor:
        """The root of C_ii = w_i^2 (1 + s_i) / (1 + s), s_i the sum of the r_j^2 with j != i."""
        square, unit = self._ratios()
        # Sums from either side: nothing is subtracted, so that no large ratio hides the others.
        zero = torch.zeros_like(square[..., :1])
        before = torch.cat([zero, square[..., :-1]], -1).cumsum(-1)
        after = torch.cat([square[..., 1:], zero], -1).flip(-1).cumsum(-1).flip(-1)
        others = (1 / unit).square() + before + after
        others = others.clamp(min=torch.finfo(others.dtype).tiny)
        share = torch.log(others) - torch.log(others + square)
        return torch.exp((share - precise(self.log_precision)) / 2)

    def _ratios(self) -> tuple[Tensor, Tensor]:
        """r_i^2 = u_i^2 / D_i in units of a square, 1 where none may overflow, and the unit."""
        r = precise(self.u) * torch.exp(-precise(self.log_precision) / 2)
        size = r.detach().abs().sum(-1, keepdim=True)
        limit = torch.finfo(r.dtype).max ** 0.47
        unit = torch.where(size > limit, size / limit, 1.0)
        return (r / unit).square(), unit

    @property
    def covariance_matrix(self) -> Tensor:
        """C = D^-1 - D^-1 u u^T D^-1 / (1 + s), (*batch, d, d)."""
        a = self.u * torch.exp(-self.log_precision)
        weight = 1 + (self.u * a).sum(-1)[..., None, None]
        outer = a.unsqueeze(-1) * a.unsqueeze(-2) / weight
        return (-outer).diagonal_scatter(self.variance, dim1=-2, dim2=-1)

    @property
    def precision_matrix(self) -> Tensor:
        """D + u u^T, (*batch, d, d)."""
        outer = self.u.unsqueeze(-1) * self.u.unsqueeze(-2)
        return self.log_precision.exp().diag_embed() + outer

    def rsample(
        self,
        sample_shape: Sequence[int] = (),
        *,
        generator: torch.Generator | None = None,
        seed: Tensor | None = None,
    ) -> Tensor:
        """z = mean + R eps (*sample_shape, *batch, d) with R R^T = C, differentiable.

        Args:
            sample_shape: leading dimensions
            generator: draws the seed of the noise; default: torch's own generator
            seed: the noise itself, an int64 tensor on the parameters' device
        """
        shape = (*sample_shape, *self.mean.shape)
        z, _ = rank1_gaussian_rsample_kl(
            *(t.expand(shape) for t in (self.mean, self.log_precision, self.u)),
            batch_ndim=len(shape) - 1,
            generator=generator,
            seed=seed,
        )
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) in float32 at least, batch dimensions of value and parameters broadcast.

        Args:
            value: (*sample, *batch, d), batch dimensions missing or 1 where they broadcast
        """
        self._batch_ndim(value)  # validates
        x = precise(value) - self.mean
        diagonal = ((precise(self.log_precision) / 2).exp() * x).square().sum(-1)
        square = diagonal + (self.u * x).sum(-1).square()
        return -0.5 * (self._event_shape.numel() * LOG_2PI - self._log_det() + square)

    def entropy(self) -> Tensor:
        """H = 1/2 [d (log 2 pi + 1) + log|C|]."""
        return 0.5 * (self._event_shape.numel() * (LOG_2PI + 1) - self._log_det())

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        shape = torch.Size(batch_shape) + self._event_shape
        new._given = {name: t.expand(shape) for name, t in self._given.items()}
        return new

    def _log_det(self) -> Tensor:
        """The logarithm of the precision's determinant: sum l + log(1 + s)."""
        square, unit = self._ratios()
        s = square.sum(-1, keepdim=True) + ((1 / unit).square() - 1)
        log_total = 2 * torch.log(unit) + torch.log1p(s)
        return precise(self.log_precision).sum(-1) + log_total.squeeze(-1)


@closed_form(Rank1Gaussian, DiagonalGaussian)
def _kl_rank1_gaussian(q: Rank1Gaussian, p: DiagonalGaussian) -> Tensor:
    """In coordinates in which p is standard normal."""
    one_event(q, p)
    mean, log_precision, u = q.mean, q.log_precision, q.u
    if not isinstance(p, StandardNormal):
        mean = (mean - p.mean) * torch.exp(-p.logvar / 2)
        log_precision, u = log_precision + p.logvar, u * torch.exp(p.logvar / 2)
    shape = broadcast(q.batch_shape, p.batch_shape) + q.event_shape
    # The KL has no noise: any seed will do, and none is drawn.
    seed = torch.zeros((), dtype=torch.int64, device=mean.device)
    operands = (t.expand(shape) for t in (mean, log_precision, u))
    _, kl = rank1_gaussian_rsample_kl(*operands, batch_ndim=len(shape) - 1, seed=seed)
    return kl
