"""The negative ELBO in one call."""

from __future__ import annotations

import torch
from torch import Tensor

from ._arguments import allowed, number, ops
from .bernoulli import bernoulli_log_prob
from .gaussian import gaussian_kl, gaussian_log_prob
from .observed import sum_rows

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def elbo_loss(
    x: Tensor,
    decoded: Tensor | tuple[Tensor, Tensor | float],
    mean: Tensor,
    logvar: Tensor,
    *,
    likelihood: str = "bernoulli",
    beta: Tensor | float = 1.0,
    reduction: str = "mean",
    mask: Tensor | None = None,
    inplace: bool = False,
) -> Tensor:
    """The negative ELBO, beta KL(q(z|x) || N(0, I)) - log p(x|z): minimise it.

    Kingma and Welling, 2014, equation 10 with one sample; beta as in Higgins et al., "beta-VAE",
    2017. Summed over the event, averaged over the batch, with no hidden weight. Where gradients are
    wanted they are made in the same pass as the value.

    Args:
        x: data, ``(B, *event)``.
        decoded: logits ("bernoulli"), or mean or ``(mean, logvar)`` ("gaussian"; a lone mean has
            variance 1), of the same event shape as ``x``.
        mean: of q(z|x), ``(B, *latent)``.
        logvar: log-variance of q(z|x).
        likelihood: "bernoulli" or "gaussian".
        beta: weight of the KL, a number or a scalar tensor (no recompilation when it changes).
        reduction: "mean" or "sum" over the batch, or "none" for ``(B,)``.
        mask: bool, True where x is observed, of which alone log p(x|z) is then the sum: see
            :func:`bernoulli_log_prob`.
        inplace: let the gradient of the logits (or of the decoded mean) take their storage; see
            :func:`bernoulli_log_prob`. Ignored for reduction "none".

    Returns:
        The loss in nats: a scalar, or ``(B,)``.

    Example:
        >>> import torch
        >>> x, logits = torch.ones(4, 784), torch.zeros(4, 784)
        >>> elbo_loss(x, logits, torch.zeros(4, 20), torch.zeros(4, 20))
        tensor(543.4274)
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"elbo_loss: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    weight = None if isinstance(beta, (int, float)) and beta == 1 else number(beta, mean)
    how = REDUCTIONS[reduction]
    if likelihood == "bernoulli":
        if not isinstance(decoded, Tensor):
            raise TypeError(
                "elbo_loss: decoded must be the logits for likelihood 'bernoulli', got "
                f"{type(decoded).__name__}"
            )
        if mask is not None:
            log_prob = bernoulli_log_prob(x, decoded, mask=mask, inplace=inplace)
            return _of_observed(log_prob, gaussian_kl(mean, logvar), weight, reduction)
        op = (
            ops.bernoulli_elbo_loss_inplace.default
            if allowed(inplace)
            else ops.bernoulli_elbo_loss.default
        )
        return op(x, decoded, mean, logvar, weight, how)  # type: ignore[no-any-return]
    if likelihood == "gaussian":
        pair = (decoded, 0.0) if isinstance(decoded, Tensor) else decoded
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                "elbo_loss: decoded must be a mean or (mean, logvar) for likelihood 'gaussian', "
                f"got {type(decoded).__name__}"
            )
        x_logvar = number(pair[1], pair[0])
        if mask is not None:
            log_prob = gaussian_log_prob(x, pair[0], x_logvar, mask=mask, inplace=inplace)
            return _of_observed(log_prob, gaussian_kl(mean, logvar), weight, reduction)
        op = (
            ops.gaussian_elbo_loss_inplace.default
            if allowed(inplace)
            else ops.gaussian_elbo_loss.default
        )
        return op(x, pair[0], x_logvar, mean, logvar, weight, how)  # type: ignore[no-any-return]
    raise ValueError(
        f"elbo_loss: likelihood must be 'bernoulli' or 'gaussian', got {likelihood!r}; for others "
        "combine gaussian_kl with their log_prob"
    )


def negative_elbo(
    log_prob: Tensor, kl: Tensor, beta: Tensor | float = 1.0
) -> tuple[Tensor, Tensor]:
    """The same loss, beta KL - log p(x|z), of any likelihood, posterior and prior, with its terms.

    The mean of each over all that is given: so ``log_prob`` may be that of several samples of z for
    each datum. One kernel makes the loss, the terms, and what the backward hands on.

    Args:
        log_prob: log p(x|z), ``(*samples, B)``.
        kl: KL(q(z|x) || p(z)), ``(B,)``, or its estimates, of the shape of ``log_prob``.
        beta: weight of the KL, a number or a scalar tensor.

    Returns:
        The loss in nats, a scalar, and ``(3,)``: ELBO (with beta = 1), log-likelihood and KL. All
        are float32 at least.

    Raises:
        TypeError: an argument that is not of floating point.
        ValueError: shapes that do not fit, arguments on different devices, a beta that is no
            scalar.

    Example:
        >>> import torch
        >>> loss, terms = negative_elbo(torch.tensor([-3.0, -5.0]), torch.tensor([1.0, 2.0]), 2.0)
        >>> loss, terms
        (tensor(7.), tensor([-5.5000, -4.0000,  1.5000]))
    """
    op = ops.negative_elbo.default
    if isinstance(beta, Tensor):
        return op(log_prob, kl, beta)  # type: ignore[no-any-return]
    if torch.compiler.is_compiling():  # would compile again for each number
        return op(log_prob, kl, number(beta, kl))  # type: ignore[no-any-return]
    return op(log_prob, kl, None, float(beta))  # type: ignore[no-any-return]


def _of_observed(log_prob: Tensor, kl: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """The loss put together from both of its terms (B,)."""
    if log_prob.shape != kl.shape:
        raise ValueError(
            f"elbo_loss: x and mean must have one batch size, got {list(log_prob.shape)} and "
            f"{list(kl.shape)}"
        )
    if weight is not None and weight.ndim:
        raise ValueError(f"elbo_loss: beta must have shape [], got {list(weight.shape)}")
    each = (kl if weight is None else weight * kl) - log_prob
    if reduction == "none":
        return each
    loss = sum_rows(each, 1)
    return loss / len(each) if reduction == "mean" else loss
