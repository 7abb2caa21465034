"""Counts: Poisson, negative binomial, and the latter with more zeros."""

from __future__ import annotations

from torch import Tensor

from ._arguments import ops
from .observed import log_prob
from .parameters import one_of


def poisson_log_prob(
    x: Tensor, log_rate: Tensor, *, mask: Tensor | None = None, batch_ndim: int = 1
) -> Tensor:
    """log p(x) = sum x r - exp(r) - log x! in nats, per sample, from log-rates r.

    Evaluated by the deviance (Loader, "Fast and accurate computation of binomial probabilities",
    2000), so that counts in the millions keep their digits in float32.

    Args:
        x: counts, ``(*batch, *event)``; integers too. Between whole numbers the factorial is
            the Gamma function; a negative count gives NaN.
        log_rate: the same event shape; batch dimensions may be missing or 1.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> poisson_log_prob(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2))
        tensor([-2.])
    """
    op = ops.poisson_log_prob.default
    return log_prob(op, x, log_rate, batch_ndim=batch_ndim, mask=mask, name="poisson_log_prob")


def _by_mean_or_its_log(
    name: str,
    x: Tensor,
    mean: Tensor | None,
    log_mean: Tensor | None,
    *rest: Tensor,
    batch_ndim: int,
    mask: Tensor | None,
) -> Tensor:
    """The op that takes what is given of the two."""
    one_of(name, mean=mean, log_mean=log_mean)
    if log_mean is not None:
        mean, name = log_mean, f"{name}_log_mean"
    assert mean is not None
    op = getattr(ops, name).default
    return log_prob(op, x, mean, *rest, batch_ndim=batch_ndim, mask=mask, name=name)


def negative_binomial_log_prob(
    x: Tensor,
    mean: Tensor | None,
    inverse_dispersion: Tensor,
    *,
    log_mean: Tensor | None = None,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """log NB(x; mean m, inverse dispersion t) in nats, per sample.

    sum log [Gamma(x + t) / (Gamma(t) x!)] + t log(t / (t + m)) + x log(m / (t + m)): variance
    m + m^2 / t (Lopez et al., "Deep generative modeling for single-cell transcriptomics", 2018). No
    epsilon is added: mean 0 is exact, and so is the Poisson limit of a large t, in float32 too
    (Loader, "Fast and accurate computation of binomial probabilities", 2000).

    Args:
        x: counts, ``(*batch, *event)``; integers too. Between whole numbers the factorial is
            the Gamma function; a negative count gives NaN.
        mean: not negative, the same event shape; batch dimensions may be missing or 1. None where
            ``log_mean`` is given.
        inverse_dispersion: positive; any tensor that broadcasts, such as one number for each gene.
        log_mean: the logarithm of the mean instead, as ``logits.log_softmax(-1) + library.log()``
            has it: exact also where a share is smaller than any number.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> x, mean = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.5, 2.0]])
        >>> negative_binomial_log_prob(x, mean, torch.ones(2))
        tensor([-2.7205])
    """
    return _by_mean_or_its_log(
        "negative_binomial_log_prob",
        x,
        mean,
        log_mean,
        inverse_dispersion,
        batch_ndim=batch_ndim,
        mask=mask,
    )


def zero_inflated_negative_binomial_log_prob(
    x: Tensor,
    mean: Tensor | None,
    inverse_dispersion: Tensor,
    zi_logits: Tensor,
    *,
    log_mean: Tensor | None = None,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """log ZINB(x) in nats, per sample: NB(x) with probability sigmoid(-l), else 0.

    sum over zeros of log(sigmoid(l) + sigmoid(-l) NB(0)), over others of log sigmoid(-l) + log
    NB(x), where NB is that of :func:`negative_binomial_log_prob` (Lopez et al., "Deep generative
    modeling for single-cell transcriptomics", 2018).

    Args:
        x: counts, ``(*batch, *event)``; integers and bool too.
        mean: not negative, the same event shape; batch dimensions may be missing or 1. None where
            ``log_mean`` is given.
        inverse_dispersion: positive; any tensor that broadcasts, such as one number for each gene.
        zi_logits: log-odds l of an extra zero; any tensor that broadcasts.
        log_mean: the logarithm of the mean instead, as in :func:`negative_binomial_log_prob`.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> x, mean = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.5, 2.0]])
        >>> zero_inflated_negative_binomial_log_prob(x, mean, torch.ones(2), torch.zeros(1, 2))
        tensor([-3.1905])
    """
    return _by_mean_or_its_log(
        "zero_inflated_negative_binomial_log_prob",
        x,
        mean,
        log_mean,
        inverse_dispersion,
        zi_logits,
        batch_ndim=batch_ndim,
        mask=mask,
    )
