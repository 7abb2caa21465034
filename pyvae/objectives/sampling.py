"""Samples of q(z|x) with their KL, and what is said of parts that do not fit an objective."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, constraints

from pyvae.distributions import factor_kl, rsample_kl

__all__ = [
    "KL_ESTIMATORS",
    "need_density",
    "need_rsample",
    "need_same_kind",
    "sample_factor_kl",
    "sample_kl",
]

_log = logging.getLogger(__name__)

KL_ESTIMATORS = ("auto", "analytic", "sampled")


def need_rsample(objective: str, q: Distribution) -> None:
    """Raises: TypeError: the samples of the posterior cannot be differentiated."""
    if not q.has_rsample:
        raise TypeError(
            f"{objective} needs a posterior with rsample, such as diagonal_gaussian, "
            f"got {type(q).__name__}; the objective elbo with estimator='reinforce' takes it"
        )


def need_same_kind(objective: str, q: Distribution, p: Distribution) -> None:
    """Raises: TypeError: the posterior is over discrete latents, the prior over real ones."""
    support = p.support
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if not q.has_rsample and support is constraints.real:
        raise TypeError(
            f"{objective}: the posterior {type(q).__name__} has discrete samples and the prior "
            f"{type(p).__name__} is a density; take a prior of the posterior's kind"
        )


@contextmanager
def need_density(objective: str, q: Distribution) -> Iterator[None]:
    """Within, a distribution that has no log_prob is said to be the wrong part.

    Raises:
        TypeError: the posterior or the prior has no density.
    """
    try:
        yield
    except NotImplementedError as error:
        raise TypeError(
            f"{objective} needs a posterior and a prior with densities, such as diagonal_gaussian "
            f"and standard_normal, got the posterior {type(q).__name__}; the objective autoencoder "
            f"takes any"
        ) from error


@cache
def _say_sampled(objective: str, q: str, p: str) -> None:
    """Once for each pair of families."""
    _log.info(
        "%s: estimator 'auto' takes KL(%s || %s) from samples, as no closed form is known",
        objective,
        q,
        p,
    )


def _family(p: Distribution) -> str:
    inner = f"({_family(p.base_dist)})" if isinstance(p, Independent) else ""
    return type(p).__name__ + inner


def sample_kl(
    objective: str, q: Distribution, p: Distribution, num_samples: int, estimator: str
) -> tuple[Tensor, Tensor]:
    """Reparameterized samples of q, and KL(q || p) or its estimates from these samples.

    Args:
        objective: the name of the objective, for messages
        q: with batch shape (B,)
        p: with batch shape ()
        num_samples: 1 gives z (B, D), more (K, B, D)
        estimator: "analytic" is the KL in closed form (B,), "sampled" log q(z) - log p(z) at each
            sample, "auto" the first where a closed form is known; else, once for each pair of
            families, the log says so

    Raises:
        TypeError: no rsample, no density, or no closed form for "analytic".
    """
    need_rsample(objective, q)
    shape = torch.Size(() if num_samples == 1 else (num_samples,))
    if estimator != "sampled":
        try:
            return rsample_kl(q, p, shape)
        except NotImplementedError as error:
            if estimator == "analytic":
                raise TypeError(
                    f"{objective}: KL({_family(q)} || {_family(p)}) has no closed form here; use "
                    f"estimator='sampled', or 'auto'"
                ) from error
            if not torch.compiler.is_compiling():
                _say_sampled(objective, _family(q), _family(p))
    z = q.rsample(shape)
    with need_density(objective, q):
        return z, q.log_prob(z) - p.log_prob(z)


def sample_factor_kl(
    objective: str, q: Distribution, p: Distribution, num_samples: int
) -> tuple[Tensor, Tensor]:
    """Reparameterized samples of q, as :func:`sample_kl` gives them, and the KL of each latent.

    Args:
        objective: the name of the objective, for messages
        q: with batch shape (B,)
        p: with batch shape ()
        num_samples: 1 gives z (B, D), more (K, B, D); the KL is (B, D), or (B, groups)

    Raises:
        TypeError: no rsample, or latents whose KL has no closed form by itself.
    """
    need_rsample(objective, q)
    try:
        kl = factor_kl(q, p)
    except NotImplementedError as error:
        raise TypeError(
            f"{objective}: free_bits_per='latent' needs independent latents whose KL has a closed "
            f"form, such as diagonal_gaussian and standard_normal, got KL({_family(q)} || "
            f"{_family(p)}); free bits per batch and per datum take any"
        ) from error
    return q.rsample(torch.Size(() if num_samples == 1 else (num_samples,))), kl
