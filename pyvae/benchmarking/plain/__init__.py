"""What a careful PyTorch user writes instead of each op: the baseline, and what is compiled.

Keywords are those of the op; ``eps`` is given only where a result is checked, else drawn by torch.
An op without an entry here is raced against its specification in ``pyvae.reference``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from pyvae.benchmarking.plain import first, heavy

__all__ = ["PLAIN"]

#: By the native name of the op, as in ``pyvae.reference``.
PLAIN: Mapping[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    f.__name__: f
    for f in (
        first.gaussian_rsample,
        first.gaussian_kl,
        first.gaussian_rsample_kl,
        first.gaussian_rsample_log_ratio,
        first.gaussian_log_prob,
        first.bernoulli_log_prob,
        first.continuous_bernoulli_log_prob,
        first.laplace_log_prob,
        first.discretized_logistic_log_prob,
        first.poisson_log_prob,
        first.negative_binomial_log_prob,
        first.zero_inflated_negative_binomial_log_prob,
        first.bernoulli_elbo_loss,
        first.gaussian_elbo_loss,
        heavy.discretized_logistic_mixture_log_prob,
        heavy.gaussian_mixture_log_prob,
        heavy.mmd,
        heavy.rank1_gaussian_rsample_kl,
        heavy.categorical_log_prob,
    )
}
