"""Gaussians with diagonal covariance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.distributions import constraints, register_kl

from pyvae.distributions.base import OpDistribution, broadcast
from pyvae.functional import gaussian_kl, gaussian_log_prob, gaussian_rsample

__all__ = ["DiagonalGaussian", "StandardNormal"]

Self = TypeVar("Self", bound="DiagonalGaussian")


class DiagonalGaussian(OpDistribution):
    r"""The normal distribution N(mean, diag(exp(logvar))) over the trailing dimensions.

    .. math:: \log p(x) = -\tfrac12 \sum_i \log 2\pi + l_i + (x_i - m_i)^2 e^{-l_i}

    Equal to ``Independent(Normal(mean, exp(logvar / 2)), event_ndim)`` of ``torch.distributions``,
    computed by :mod:`pyvae.functional`; ``logvar`` is read as it is, never expanded in memory.
    Kingma & Welling 2014, appendix B.

    Args:
        mean: (*batch, *event)
        logvar: log-variance, anything that broadcasts with the mean; a number too
        event_ndim: how many trailing dimensions form the event; default: all but the first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the mean is not a floating-point tensor.
        ValueError: shapes that do not broadcast, or a NaN among validated parameters or values.

    >>> q = DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> q.batch_shape, q.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> q.rsample((5,)).shape
    torch.Size([5, 3, 2])
    >>> q.log_prob(torch.zeros(3, 2))
    tensor([-1.8379, -1.8379, -1.8379])
    """

    has_rsample = True

    def __init__(
        self,
        mean: Tensor,
        logvar: Tensor | float,
        *,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mean, Tensor) or not mean.is_floating_point():
            got = mean.dtype if isinstance(mean, Tensor) else type(mean).__name__
            raise TypeError(f"DiagonalGaussian: mean must be a floating-point tensor, got {got}")
        if not isinstance(logvar, Tensor):
            logvar = torch.tensor(logvar, dtype=mean.dtype, device=mean.device)
        try:
            shape = broadcast(mean.shape, logvar.shape)
        except RuntimeError:
            raise ValueError(
                f"DiagonalGaussian: mean {tuple(mean.shape)} and logvar {tuple(logvar.shape)} "
                f"do not broadcast"
            ) from None
        self._mean = mean if mean.shape == shape else mean.expand(shape)
        self._logvar = logvar
        self._split(shape, event_ndim, validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {"mean": constraints.real, "logvar": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(constraints.real, self._event_ndim)

    @property
    def mean(self) -> Tensor:
        return self._mean

    @property
    def mode(self) -> Tensor:
        return self._mean

    @property
    def logvar(self) -> Tensor:
        """Log-variance (*batch, *event), in the dtype promoted from mean and log-variance."""
        dtype = torch.promote_types(self._mean.dtype, self._logvar.dtype)
        return self._logvar.to(dtype).expand(self._mean.shape)

    @property
    def variance(self) -> Tensor:
        return self.logvar.exp()

    @property
    def stddev(self) -> Tensor:
        return (self.logvar / 2).exp()

    def rsample(
        self,
        sample_shape: Sequence[int] = (),
        *,
        generator: torch.Generator | None = None,
        seed: Tensor | None = None,
    ) -> Tensor:
        """z = mean + exp(logvar / 2) eps (*sample_shape, *batch, *event), differentiable.

        Args:
            sample_shape: leading dimensions
            generator: draws the seed of the noise; default: torch's own generator
            seed: the noise itself, an int64 tensor on the parameters' device
        """
        z: Tensor = gaussian_rsample(
            self._mean,
            self._logvar,
            sample_shape=tuple(sample_shape),
            generator=generator,
            seed=seed,
        )
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value), with the batch dimensions of value and parameters broadcast.

        Args:
            value: (*sample, *batch, *event), batch dimensions missing or 1 where they broadcast
        """
        n = self._batch_ndim(value)
        log_prob: Tensor = gaussian_log_prob(value, self._mean, self._logvar, batch_ndim=n)
        return log_prob

    def entropy(self) -> Tensor:
        """H = sum_i (log 2 pi + 1 + logvar_i) / 2, as d/2 - log p(mean) for d dimensions."""
        mean = self._mean.detach()
        n = len(self._batch_shape)
        log_prob: Tensor = gaussian_log_prob(mean, mean, self._logvar, batch_ndim=n)
        return self._event_shape.numel() / 2 - log_prob

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        new._mean = self._mean.expand(torch.Size(batch_shape) + self._event_shape)
        new._logvar = self._logvar
        return new


class StandardNormal(DiagonalGaussian):
    """N(0, I) over one event shape; its parameters are a single zero in memory.

    Args:
        event_shape: the shape of an event
        dtype, device: of the samples; default: torch's

    >>> p = StandardNormal((20,))
    >>> p.batch_shape, p.event_shape
    (torch.Size([]), torch.Size([20]))
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        zero = torch.zeros((), dtype=dtype, device=device)
        super().__init__(
            zero.expand(tuple(event_shape)),
            zero,
            event_ndim=len(event_shape),
            validate_args=validate_args,
        )


def _same_event(q: DiagonalGaussian, p: DiagonalGaussian) -> tuple[Tensor, int]:
    """q's mean over the batch shape of both, and how many dimensions that has."""
    if q.event_shape != p.event_shape:
        raise ValueError(
            f"kl_divergence: both Gaussians must have one event shape, got "
            f"{tuple(q.event_shape)} and {tuple(p.event_shape)}"
        )
    batch = broadcast(q.batch_shape, p.batch_shape)
    mean = q._mean if batch == q.batch_shape else q._mean.expand(batch + q.event_shape)
    return mean, len(batch)


def _kl_gaussian_gaussian(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    mean, batch_ndim = _same_event(q, p)
    kl: Tensor = gaussian_kl(mean, q._logvar, p._mean, p._logvar, batch_ndim=batch_ndim)
    return kl


def _kl_gaussian_standard(q: DiagonalGaussian, p: StandardNormal) -> Tensor:
    mean, batch_ndim = _same_event(q, p)
    kl: Tensor = gaussian_kl(mean, q._logvar, batch_ndim=batch_ndim)
    return kl


register_kl(DiagonalGaussian, DiagonalGaussian)(_kl_gaussian_gaussian)
register_kl(DiagonalGaussian, StandardNormal)(_kl_gaussian_standard)
