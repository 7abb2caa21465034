"""Logistic variables, rounded to 256 levels."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import precise, root
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.finite import Finite
from pyvae.distributions.parameters import Parameter
from pyvae.distributions.reparameterize.base import uniform_noise
from pyvae.functional import discretized_logistic_log_prob

__all__ = ["DiscretizedLogistic", "as_scaled"]

LEVELS = 256
LOG_SCALE_MIN = -7.0  # as in the op


def as_scaled(value: Tensor) -> Tensor:
    """Levels as the ops take them: uint8 as it is, anything else on [-1, 1]."""
    return value if value.dtype == torch.uint8 else value / 127.5 - 1


class DiscretizedLogistic(Finite, Elementwise):
    r"""Independent levels 0 .. 255: logistic variables, rounded to the nearest and clipped.

    .. math::
        P(x_i) = \sigma\!\left(\frac{v_i + 1/255 - m_i}{e^{s_i}}\right)
               - \sigma\!\left(\frac{v_i - 1/255 - m_i}{e^{s_i}}\right),
        \quad v_i = \frac{2 x_i}{255} - 1

    where the lowest level has no lower bound and the highest no upper one. Kingma et al. 2016,
    appendix; Salimans et al. 2017, eq. 2.

    Args:
        mean: m, on the scale where the levels go from -1 to 1, (*batch, *event);
            a number too
        log_scale: s on that scale, taken as -7 where it is less; anything that broadcasts with the
            mean; a number too
        event_ndim: how many trailing dimensions form the event
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: a parameter is neither a floating-point tensor nor a number.
        ValueError: shapes that do not broadcast, NaN among validated parameters, or a validated
            value that is not a level.

    >>> p = DiscretizedLogistic(torch.zeros(2, 3), -2.0, event_ndim=1)
    >>> p.log_prob(torch.full((3,), 255.0)).exp()  # sigmoid((0 - 254 / 255) e^2)^3
    tensor([2.5695e-10, 2.5695e-10])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.real,
        "log_scale": constraints.real,
    }
    variable = constraints.integer_interval(0, LEVELS - 1)
    values = "a whole number from 0 to 255"

    def __init__(
        self,
        mean: Parameter,
        log_scale: Parameter,
        *,
        event_ndim: int = 0,
        validate_args: bool | None = None,
    ) -> None:
        self._hold(event_ndim, validate_args, mean=mean, log_scale=log_scale)

    @property
    def location(self) -> Tensor:
        """m, the mean of the logistic variable, on the scale from -1 to 1."""
        return self._full("mean")

    @property
    def log_scale(self) -> Tensor:
        return self._full("log_scale")

    @property
    def mean(self) -> Tensor:
        """The mean level: the sum over k of P(x >= k)."""
        return self._about(torch.zeros_like(self.location))[0].to(self.location.dtype)

    @property
    def variance(self) -> Tensor:
        return self._variance().to(self.location.dtype)

    @property
    def stddev(self) -> Tensor:
        return root(self._variance()).to(self.location.dtype)

    def _variance(self) -> Tensor:
        """About the level next to the mean, so that no large squares are subtracted."""
        with torch.no_grad():
            level = self.mean.round()
        first, second = self._about(level)
        return second - first.square()

    def _about(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """E (x - c) and E (x - c)^2 for a level c, in float32 at least.

        These are sums of P(x >= k) and (2 (k - c) - 1) P(x >= k) over k > c, and of -P(x < k) and
        (2 (c - k) + 1) P(x < k) over k <= c.
        """
        m, s, c = precise(self.location), precise(self.log_scale), precise(level)
        precision = (-s.clamp(min=LOG_SCALE_MIN)).exp()
        first = second = torch.zeros_like(m)
        for k in range(1, LEVELS):
            side = 2 * (k > c).to(c.dtype) - 1
            beyond = torch.sigmoid(side * ((m - ((2 * k - 1) / 255 - 1)) * precision))
            first = first + side * beyond
            second = second + side * (2 * (k - c) - 1) * beyond
        return first, second

    def _every_value(self) -> Tensor:
        given = self._given["mean"]
        return torch.arange(LEVELS, dtype=given.dtype, device=given.device)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        given = self._given
        log_prob: Tensor = discretized_logistic_log_prob(
            as_scaled(value), given["mean"], given["log_scale"], batch_ndim=batch_ndim
        )
        return log_prob

    def _draw(self, shape: torch.Size) -> Tensor:
        scale = precise(self.log_scale).clamp(min=LOG_SCALE_MIN).exp()
        scale = scale.clamp(max=torch.finfo(scale.dtype).max)  # which 0 can be multiplied by
        z = self.location + scale * torch.logit(uniform_noise(shape, scale))
        return ((z + 1) * 127.5).round().clamp(0, LEVELS - 1).to(self.location.dtype)
