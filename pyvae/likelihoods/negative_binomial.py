"""Counts of single cells, which share a total: negative binomial, without and with extra zeros."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.distributions import NegativeBinomial, ZeroInflatedNegativeBinomial
from pyvae.likelihoods.counts import CountLikelihood
from pyvae.registry import likelihoods

__all__ = ["NegativeBinomialLikelihood", "ZeroInflatedNegativeBinomialLikelihood"]


class _LibrarySized(CountLikelihood, ABC):
    """Counts whose mean is a share of the datum's total, with a dispersion for each variable."""

    side_inputs = ("library",)
    separable = False

    def __init__(self, data_shape: Sequence[int], fractions: bool = False) -> None:
        super().__init__(data_shape, fractions)
        self.log_inverse_dispersion = nn.Parameter(torch.zeros(self.data_shape))

    def _log_mean(self, logits: Tensor, library: Tensor) -> Tensor:
        """log library + log softmax(logits), over the whole event: no share is too small for it."""
        n = len(self.data_shape)
        log_shares = logits.flatten(-n).log_softmax(-1).unflatten(-1, self.data_shape)
        log_mean: Tensor = log_shares + library.to(log_shares.dtype).log()[(..., *(None,) * n)]
        return log_mean


@likelihoods.register("negative_binomial")
class NegativeBinomialLikelihood(_LibrarySized):
    """p(x|z) = prod_i NB(x_i; library softmax(r)_i, t_i), the decoder's output being r.

    The library is the datum's total count, a side input (*batch,); the inverse dispersion t is
    learned for each variable. The encoder sees log(1 + x). Lopez et al. 2018 (scVI).

    Args:
        data_shape: the shape of one datum
        fractions: take corrected counts such as 1.1387 too

    >>> import torch
    >>> p = NegativeBinomialLikelihood((5,))(torch.zeros(3, 5), library=torch.full((3,), 20.0))
    >>> p.mean[0].round(decimals=4)
    tensor([4., 4., 4., 4., 4.])
    """

    def forward(self, params: Tensor, **side: Tensor) -> NegativeBinomial:
        return NegativeBinomial(
            log_mean=self._log_mean(params, side["library"]),
            inverse_dispersion=self.log_inverse_dispersion.exp(),
            event_ndim=len(self.data_shape),
            validate_args=False,
        )

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        """The logarithms of the shares."""
        return data_mean.clamp(min=1e-6).log()


@likelihoods.register("zero_inflated_negative_binomial")
class ZeroInflatedNegativeBinomialLikelihood(_LibrarySized):
    """p(x|z) = prod_i ZINB(x_i; library softmax(r)_i, t_i, l_i), r and l the decoder's output.

    Along the first dimension come the logits r of the shares, then the log-odds l of extra zeros;
    otherwise as ``negative_binomial``. Lopez et al. 2018 (scVI).

    Args:
        data_shape: the shape of one datum
        fractions: take corrected counts such as 1.1387 too

    >>> ZeroInflatedNegativeBinomialLikelihood((2000,)).param_shape
    (4000,)
    """

    @property
    def param_shape(self) -> tuple[int, ...]:
        first, *rest = self.data_shape
        return (2 * first, *rest)

    def forward(self, params: Tensor, **side: Tensor) -> ZeroInflatedNegativeBinomial:
        logits, zi_logits = params.chunk(2, dim=-len(self.data_shape))
        return ZeroInflatedNegativeBinomial(
            log_mean=self._log_mean(logits, side["library"]),
            inverse_dispersion=self.log_inverse_dispersion.exp(),
            zi_logits=zi_logits,
            event_ndim=len(self.data_shape),
            validate_args=False,
        )

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        """The logarithms of the shares, and next to no extra zeros."""
        logits = data_mean.clamp(min=1e-6).log()
        return torch.cat([logits, torch.full_like(logits, -8.0)])
