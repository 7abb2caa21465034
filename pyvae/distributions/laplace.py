"""Laplace variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions import reparameterize
from pyvae.distributions.base import expm1_rest, one_event, precise
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.parameters import Parameter, only
from pyvae.functional import laplace_log_prob

__all__ = ["Laplace"]


class Laplace(Elementwise):
    r"""Independent variables with density exp(-|x - m| / b) / 2b.

    .. math:: \log p(x) = -\sum_i \log 2 + s_i + |x_i - m_i| e^{-s_i}

    Equal to ``Laplace`` of ``torch.distributions``, or ``Independent(Laplace, event_ndim)``.

    Args:
        loc: m, (*batch, *event); a number too
        scale: b, anything that broadcasts with m; a number too
        validate_args: check parameters and values (this waits for the device); default: as torch
        mean: m, instead of loc
        log_scale: s = log b, instead of scale
        event_ndim: how many trailing dimensions form the event

    Raises:
        TypeError: a parameter is neither a floating-point tensor nor a number.
        ValueError: not one of loc and mean, of scale and log_scale; shapes that do not broadcast;
            NaN, or a scale that is not positive, where parameters or values are validated.

    >>> Laplace(0.0, 1.0).log_prob(torch.zeros(3))
    tensor([-0.6931, -0.6931, -0.6931])
    >>> Laplace(mean=torch.zeros(3, 2), log_scale=0.0, event_ndim=1).log_prob(torch.zeros(2))
    tensor([-1.3863, -1.3863, -1.3863])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "log_scale": constraints.real,
    }
    variable = constraints.real

    def __init__(
        self,
        loc: Parameter | None = None,
        scale: Parameter | None = None,
        validate_args: bool | None = None,
        *,
        mean: Parameter | None = None,
        log_scale: Parameter | None = None,
        event_ndim: int = 0,
    ) -> None:
        (loc,) = only("Laplace", loc=loc, mean=mean).values()
        spread = only("Laplace", scale=scale, log_scale=log_scale)
        self._hold(event_ndim, validate_args, loc=loc, **spread)

    @property
    def loc(self) -> Tensor:
        return self._full("loc")

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def scale(self) -> Tensor:
        return self._full("scale") if "scale" in self._given else self._full("log_scale").exp()

    @property
    def log_scale(self) -> Tensor:
        return self._log_scale().expand(self.param_shape)

    def _log_scale(self) -> Tensor:
        """As it was given, or in float32 at least."""
        log_scale = self._given.get("log_scale")
        return precise(self._given["scale"]).log() if log_scale is None else log_scale

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale.square() if "scale" in self._given else 2 * (2 * self.log_scale).exp()

    @property
    def stddev(self) -> Tensor:
        return math.sqrt(2) * self.scale

    def entropy(self) -> Tensor:
        """H = sum_i 1 + log 2 b_i."""
        return self._over_event(1 + math.log(2) + precise(self.log_scale))

    def cdf(self, value: Tensor | float) -> Tensor:
        """P(x <= value), of single variables; the lower tail keeps its digits."""
        self._single("cdf")
        away = (self._as_value(value) - self.loc) * torch.exp(-self.log_scale)
        tail = torch.exp(-away.abs()) / 2
        return torch.where(away < 0, tail, 1 - tail)

    def icdf(self, value: Tensor | float) -> Tensor:
        """The quantile of a probability, of single variables."""
        self._single("icdf")
        value = self._as_value(value)
        tail = torch.log(2 * torch.minimum(value, 1 - value))
        return self.loc + self.scale * torch.where(value < 0.5, tail, -tail)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = laplace_log_prob(
            value, self._given["loc"], self._log_scale(), batch_ndim=batch_ndim
        )
        return log_prob

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """z = m + b eps (*sample_shape, *batch, *event), differentiable."""
        scale = precise(self.scale if "scale" in self._given else self.log_scale)
        z = reparameterize.laplace(
            self.loc,
            scale if "scale" in self._given else scale.exp(),
            sample_shape=tuple(sample_shape),
        )
        loc, spread = self._given.values()
        return z.to(torch.promote_types(loc.dtype, spread.dtype))


@closed_form(Laplace, Laplace)
def _kl_laplace(q: Laplace, p: Laplace) -> Tensor:
    """KL = sum_i e^(s - u) - 1 - s + u e^s, with s = log b_q / b_p and u = |m_q - m_p| / b_q."""
    one_event(q, p)
    log_scale, other = precise(q.log_scale), precise(p.log_scale)
    s, gap = log_scale - other, (precise(q.loc) - precise(p.loc)).abs()
    most = math.log(torch.finfo(gap.dtype).max)  # whose exponential is finite
    u = gap * torch.exp(-log_scale.clamp(min=-most))
    near = u < 1
    small, ratio = torch.where(near, u, 0.0), torch.where(near, s, 0.0)
    close = expm1_rest(ratio - small) + small * torch.expm1(ratio)
    far = (
        torch.exp(torch.where(near, 0.0, s - u)) - 1 - s + gap * torch.exp(-other.clamp(min=-most))
    )
    return q._over_event(torch.where(near, close, far))
