"""Gaussians with diagonal covariance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import broadcast, one_event, precise
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.parameters import Parameter, only
from pyvae.functional import gaussian_kl, gaussian_log_prob, gaussian_rsample

__all__ = ["DiagonalGaussian", "StandardNormal"]


class DiagonalGaussian(Elementwise):
    r"""The normal distribution N(mean, diag(exp(logvar))) over the trailing dimensions.

    .. math:: \log p(x) = -\tfrac12 \sum_i \log 2\pi + l_i + (x_i - m_i)^2 e^{-l_i}

    Equal to ``Independent(Normal(mean, exp(logvar / 2)), event_ndim)`` of ``torch.distributions``,
    computed by :mod:`pyvae.functional`; ``logvar`` is read as it is, never expanded in memory.
    Kingma & Welling 2014, appendix B.

    Args:
        mean: m, (*batch, *event); a number too
        logvar: log-variance l, anything that broadcasts with the mean; a number too
        loc: m, instead of mean
        scale: exp(l / 2), instead of logvar
        event_ndim: how many trailing dimensions form the event; with 0 it is torch's ``Normal``
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: a parameter is neither a floating-point tensor nor a number.
        ValueError: not one of mean and loc, of logvar and scale; shapes that do not broadcast;
            NaN, or a scale that is not positive, where parameters or values are validated.

    >>> q = DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> q.batch_shape, q.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> q.rsample((5,)).shape
    torch.Size([5, 3, 2])
    >>> q.log_prob(torch.zeros(3, 2))
    tensor([-1.8379, -1.8379, -1.8379])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.real,
        "loc": constraints.real,
        "logvar": constraints.real,
        "scale": constraints.positive,
    }
    variable = constraints.real

    def __init__(
        self,
        mean: Parameter | None = None,
        logvar: Parameter | None = None,
        *,
        loc: Parameter | None = None,
        scale: Parameter | None = None,
        event_ndim: int = 1,
        validate_args: bool | None = None,
    ) -> None:
        name = "DiagonalGaussian"
        (centre,) = only(name, mean=mean, loc=loc).values()
        spread = only(name, logvar=logvar, scale=scale)
        self._hold(event_ndim, validate_args, mean=centre, **spread)

    @property
    def mean(self) -> Tensor:
        return self._given["mean"]

    @property
    def loc(self) -> Tensor:
        return self.mean

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def _logvar(self) -> Tensor:
        """The log-variance, not expanded."""
        logvar = self._given.get("logvar")
        return 2 * precise(self._given["scale"]).log() if logvar is None else logvar

    def _wide(self, spread: Tensor) -> Tensor:
        """Over (*batch, *event), in the dtype promoted from the mean and what was given with it."""
        return spread.to(self._promoted).expand(self.param_shape)

    @property
    def _promoted(self) -> torch.dtype:
        return torch.promote_types(*(t.dtype for t in self._given.values()))

    @property
    def logvar(self) -> Tensor:
        """Log-variance (*batch, *event), in the dtype promoted from mean and log-variance."""
        return self._wide(self._logvar)

    @property
    def variance(self) -> Tensor:
        return self.stddev.square() if "scale" in self._given else self.logvar.exp()

    @property
    def stddev(self) -> Tensor:
        given = self._given
        return self._wide(given["scale"]) if "scale" in given else (self.logvar / 2).exp()

    @property
    def scale(self) -> Tensor:
        return self.stddev

    def cdf(self, value: Tensor | float) -> Tensor:
        """P(x <= value), of single variables."""
        self._single("cdf")
        below: Tensor = torch.special.ndtr((self._as_value(value) - self.mean) / self.stddev)
        return below

    def icdf(self, value: Tensor | float) -> Tensor:
        """The quantile of a probability, of single variables."""
        self._single("icdf")
        at: Tensor = self.mean + self.stddev * torch.special.ndtri(self._as_value(value))
        return at

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
        z = gaussian_rsample(
            self.mean,
            self._logvar,
            sample_shape=tuple(sample_shape),
            generator=generator,
            seed=seed,
        )
        return z.to(self._promoted)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = gaussian_log_prob(value, self.mean, self._logvar, batch_ndim=batch_ndim)
        return log_prob

    def entropy(self) -> Tensor:
        """H = sum_i (log 2 pi + 1 + logvar_i) / 2, as d/2 - log p(mean) for d dimensions."""
        mean = self.mean.detach()
        n = len(self._batch_shape)
        log_prob: Tensor = gaussian_log_prob(mean, mean, self._logvar, batch_ndim=n)
        return self._event_shape.numel() / 2 - log_prob


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

    def _apart(self, mask: Tensor) -> DiagonalGaussian:
        mean, logvar = self._given["mean"], self._given["logvar"]
        return DiagonalGaussian(
            torch.where(mask, mean, 1.0), logvar, event_ndim=0, validate_args=False
        )


def _same_event(q: DiagonalGaussian, p: DiagonalGaussian) -> tuple[Tensor, int]:
    """q's mean over the batch shape of both, and how many dimensions that has."""
    one_event(q, p)
    batch = broadcast(q.batch_shape, p.batch_shape)
    mean = q.mean if batch == q.batch_shape else q.mean.expand(batch + q.event_shape)
    return mean, len(batch)


@closed_form(DiagonalGaussian, DiagonalGaussian)
def _kl_gaussian_gaussian(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    mean, batch_ndim = _same_event(q, p)
    kl: Tensor = gaussian_kl(mean, q._logvar, p.mean, p._logvar, batch_ndim=batch_ndim)
    return kl


@closed_form(DiagonalGaussian, StandardNormal)
def _kl_gaussian_standard(q: DiagonalGaussian, p: StandardNormal) -> Tensor:
    mean, batch_ndim = _same_event(q, p)
    kl: Tensor = gaussian_kl(mean, q._logvar, batch_ndim=batch_ndim)
    return kl
