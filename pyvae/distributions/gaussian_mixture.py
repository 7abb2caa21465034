"""Mixtures of Gaussians with diagonal covariance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from pyvae.distributions.base import check_event, precise, root
from pyvae.distributions.mixture_path import mixture_path
from pyvae.functional import gaussian_log_prob, gaussian_mixture_log_prob

__all__ = ["GaussianMixture"]

Self = TypeVar("Self", bound="GaussianMixture")


class GaussianMixture(Distribution):
    r"""A mixture of K diagonal Gaussians over vectors.

    .. math:: \log p(z) = \log \sum_k w_k \prod_d N(z_d; m_{kd}, e^{l_{kd}})

    Samples are reparameterized by implicit differentiation, in the weights too (Graves 2016;
    Figurnov et al. 2018): the components stay discrete, the gradient is exact.

    Args:
        means: m, (*batch, K, D)
        logvars: log-variances l, anything that broadcasts with the means
        log_weights: logits of the weights, (*batch, K) or (K,); they need not be normalized;
            default: all weights are equal
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        ValueError: shapes that do not fit, or a NaN among validated parameters or values.

    >>> p = GaussianMixture(torch.randn(5, 2), torch.zeros(5, 2))
    >>> p.batch_shape, p.event_shape
    (torch.Size([]), torch.Size([2]))
    >>> p.rsample((3,)).shape
    torch.Size([3, 2])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "means": constraints.real,
        "logvars": constraints.real,
        "log_weights": constraints.real,
    }
    support = constraints.real_vector

    def __init__(
        self,
        means: Tensor,
        logvars: Tensor,
        log_weights: Tensor | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if log_weights is None:
            log_weights = torch.zeros(means.shape[:-1], dtype=means.dtype, device=means.device)
        try:
            self.logvars = logvars.expand(means.shape)
            log_weights = log_weights.expand(means.shape[:-1])
        except RuntimeError:
            raise ValueError(
                f"GaussianMixture: logvars {tuple(logvars.shape)} and log_weights "
                f"{tuple(log_weights.shape)} must broadcast with the means {tuple(means.shape)} "
                f"(*batch, K, D)"
            ) from None
        self.means = means
        self.log_weights = log_weights.log_softmax(-1)
        shape = means.shape
        super().__init__(shape[:-2], shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return (self.log_weights.exp().unsqueeze(-1) * self.means).sum(-2)

    @property
    def variance(self) -> Tensor:
        """The mean of the variances and the variance of the means."""
        return self._deviations().square().sum(-2).to(self.means.dtype)

    @property
    def stddev(self) -> Tensor:
        each = self._deviations()
        unit = each.detach().abs().amax(-2, keepdim=True)
        unit = torch.where(unit > 0, unit, 1.0)  # in which no square overflows
        return (unit.squeeze(-2) * root((each / unit).square().sum(-2))).to(self.means.dtype)

    def _deviations(self) -> Tensor:
        """What the components add to the variance, as roots (*batch, 2 K, D), in float32 at least.

        A component without weight adds nothing, however broad or far.
        """
        log_weights, means = precise(self.log_weights).unsqueeze(-1), precise(self.means)
        share = (log_weights / 2).exp()
        spread = share * means - share * (log_weights.exp() * means).sum(-2, keepdim=True)
        return torch.cat([((log_weights + precise(self.logvars)) / 2).exp(), spread], -2)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value), with the batch dimensions of value and parameters broadcast."""
        check_event(self, value)
        if self._validate_args and value.numel():
            self._validate_sample(value)
        if not self._batch_shape:
            log_prob: Tensor = gaussian_mixture_log_prob(
                value, self.means, self.logvars, self.log_weights
            )
            return log_prob
        n = max(value.ndim - 1, len(self._batch_shape))
        each = gaussian_log_prob(value.unsqueeze(-2), self.means, self.logvars, batch_ndim=n + 1)
        total: Tensor = (each + self.log_weights).logsumexp(-1)
        return total

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, D)."""
        with torch.no_grad():
            shape = torch.Size(sample_shape) + self._batch_shape
            scores = precise(self.log_weights).expand(*shape, -1)
            exponential = torch.empty(scores.shape, dtype=scores.dtype, device=scores.device)
            exponential.exponential_().clamp_(min=torch.finfo(scores.dtype).tiny)
            chosen = (scores - exponential.log()).argmax(-1)[..., None, None]
            index = chosen.expand(*shape, 1, self._event_shape[0])
            mean, logvar = (
                t.expand(*shape, *t.shape[-2:]).gather(-2, index).squeeze(-2)
                for t in (self.means, self.logvars)
            )
            return mean + (logvar / 2).exp() * torch.randn_like(mean)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, D), differentiable once in all parameters."""
        return mixture_path(self.sample(sample_shape), self.means, self.logvars, self.log_weights)

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new: Self = self._get_checked_instance(GaussianMixture, _instance)  # type: ignore[no-untyped-call]
        shape = torch.Size(batch_shape)
        new.means, new.logvars = (
            t.expand(shape + t.shape[-2:]) for t in (self.means, self.logvars)
        )
        new.log_weights = self.log_weights.expand(shape + self.log_weights.shape[-1:])
        Distribution.__init__(new, shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new
