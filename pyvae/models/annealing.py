"""Annealed importance sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ["annealed_importance_sampling", "log_mean"]


def annealed_importance_sampling(
    x: Tensor,
    log_density: Callable[[Tensor, float], Tensor],
    transition: Callable[[Tensor, float], Tensor],
    betas: Sequence[float],
    *,
    tick: Callable[[], None] = lambda: None,
) -> Tensor:
    r"""log w (*batch,) of chains that go from one distribution to another; E w = Z_1 / Z_0.

    .. math::
        \log w = \sum_{t=1}^{T} \log f_{\beta_t}(x_{t-1}) - \log f_{\beta_{t-1}}(x_{t-1}),
        \qquad x_t \sim T_{\beta_t}(x | x_{t-1})

    Neal 2001. f_beta is a density up to its constant Z_beta, and T_beta leaves it as it is. log w
    is below log Z_1 / Z_0 in expectation, and the nearer the more steps there are. No gradient.

    Args:
        x: states (*batch, ...) drawn from f_0
        log_density: x and beta -> log f_beta(x) (*batch,)
        transition: x and beta -> the next states
        betas: from 0 to 1, rising
        tick: called after each step; what it raises ends the work

    Raises:
        ValueError: the betas do not rise from 0 to 1.

    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...>
    >>> def log_density(x, beta):  # from N(0, 1) to 3 N(0, 1)
    ...     return beta * math.log(3) - x.square() / 2 - math.log(2 * math.pi) / 2
    >>> fresh = lambda x, beta: torch.randn_like(x)
    >>> log_w = annealed_importance_sampling(torch.randn(5), log_density, fresh, [0.0, 0.5, 1.0])
    >>> log_mean(log_w)  # log 3
    tensor(1.0986)
    """
    rising = all(a < b for a, b in pairwise(betas))
    if len(betas) < 2 or betas[0] != 0 or betas[-1] != 1 or not rising:
        raise ValueError(
            f"annealed_importance_sampling: betas must rise from 0 to 1, got {len(betas)} values"
            + (f" from {betas[0]} to {betas[-1]}" if len(betas) else "")
        )
    with torch.no_grad():
        log_w: Tensor | float = 0.0
        for before, beta in pairwise(betas):
            log_w = log_w + log_density(x, beta) - log_density(x, before)
            x = transition(x, beta)
            tick()
    assert isinstance(log_w, Tensor)
    return log_w


def log_mean(log_w: Tensor, dim: int = 0) -> Tensor:
    """The logarithm of the mean of weights along a dimension."""
    return log_w.logsumexp(dim) - math.log(log_w.shape[dim])
