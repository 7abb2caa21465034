"""Figures of a trained model, from its distributions alone, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from pyvae.distributions import DiagonalGaussian
from pyvae.models.base import Model
from pyvae.models.importance import log_marginal

__all__ = ["Evaluation", "Moments", "bits_per_dim", "evaluate", "factors", "seeded"]


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Within, torch draws from ``seed``; afterwards as if nothing had been drawn."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def factors(distribution: Distribution) -> Distribution | None:
    """The same distribution with each variable an event of its own; None if they are dependent."""
    if isinstance(distribution, DiagonalGaussian):
        mean, logvar = distribution.mean, distribution.logvar
        return DiagonalGaussian(mean, logvar, event_ndim=0, validate_args=False)
    if isinstance(distribution, Independent):
        each: Distribution = distribution.base_dist
        return each
    return None if distribution.event_shape else distribution


def bits_per_dim(log_likelihood: float, data_shape: tuple[int, ...]) -> float:
    """-log2 p(x) / dimensions, from nats per datum. A density gives no bits: discrete data only."""
    return -log_likelihood / (math.prod(data_shape) * math.log(2))


class Moments:
    """Running mean and sum of squared deviations over rows, in float64 (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, rows: Tensor) -> None:
        """Take in rows (N, ...)."""
        if not len(rows):
            return
        rows = rows.detach().double()
        mean, total = rows.mean(0), self.count + len(rows)
        shift = mean - self.mean
        self.squares = self.squares + (rows - mean).square().sum(0)
        self.squares = self.squares + shift.square() * (self.count * len(rows) / total)
        self.mean = self.mean + shift * (len(rows) / total)
        self.count = total

    @property
    def variance(self) -> Tensor:
        """Population variance over the rows taken in."""
        return torch.as_tensor(self.squares) / max(self.count, 1)


@dataclass(frozen=True)
class Evaluation:
    """Means over the data, in nats per datum.

    Args:
        count: how many data
        elbo: E_q log p(x|z) - KL, with one sample of z for each datum
        reconstruction: E_q log p(x|z)
        kl: KL(q(z|x) || p(z)), in closed form where there is one
        log_likelihood: log p(x) by importance sampling; None if no samples were asked for
        num_samples: how many importance samples
        log_likelihood_error: standard error of its mean over the data
        bits_per_dim: of log p(x) (else of the ELBO); None unless the data are discrete
        active_units: latents whose posterior mean varies by more than 0.01 over the data
        kl_per_dim: KL of each latent; None where the latents are dependent
    """

    count: int
    elbo: float
    reconstruction: float
    kl: float
    log_likelihood: float | None = None
    num_samples: int = 0
    log_likelihood_error: float | None = None
    bits_per_dim: float | None = None
    active_units: int | None = None
    kl_per_dim: list[float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All figures, fit for JSON."""
        return asdict(self)


@torch.no_grad()
def evaluate(
    model: Model,
    batches: Iterator[tuple[Tensor, Mapping[str, Tensor]]],
    *,
    num_samples: int = 0,
    discrete: bool = False,
) -> Evaluation:
    """Evaluate a model on data, which it takes a batch at a time.

    The figures depend on the batches' sizes and on torch's seed, nothing else (see ``seeded``).

    Args:
        model: any model with encode, decode and prior
        batches: pairs of data (B, *data_shape) and side inputs of the likelihood
        num_samples: importance samples for log p(x) (Burda et al. 2016); 0: none
        discrete: whether the data are discrete, so that bits per dimension mean something

    Raises:
        ValueError: there are no data.
    """
    bound, kls, marginal, means, each = (Moments() for _ in range(5))
    for x, side in batches:
        q, p = model.encode(x), model.prior()
        z = q.sample()
        kl = _kl(q, p, z)
        reconstruction = model.decode(z, **side).log_prob(x)
        bound.add(reconstruction - kl)
        kls.add(kl)
        means.add(_mean(q))
        kl_each = _kl_per_dim(q, p)
        if kl_each is not None:
            each.add(kl_each)
        if num_samples:
            marginal.add(log_marginal(model, x, num_samples, chunk=None, **side))
    if not bound.count:
        raise ValueError("evaluate: there are no data")
    elbo, kl_mean = float(bound.mean), float(kls.mean)
    log_likelihood = float(marginal.mean) if num_samples else None
    best = elbo if log_likelihood is None else log_likelihood
    return Evaluation(
        count=bound.count,
        elbo=elbo,
        reconstruction=elbo + kl_mean,
        kl=kl_mean,
        log_likelihood=log_likelihood,
        num_samples=num_samples,
        log_likelihood_error=_error(marginal) if num_samples else None,
        bits_per_dim=bits_per_dim(best, model.data_shape) if discrete else None,
        active_units=int((means.variance > 0.01).sum()) if means.count else None,
        kl_per_dim=torch.as_tensor(each.mean).tolist() if each.count else None,
    )


def _error(moments: Moments) -> float:
    return float((moments.variance / moments.count).sqrt())


def _kl(q: Distribution, p: Distribution, z: Tensor) -> Tensor:
    """KL(q || p) (B,), in closed form, else log q(z) - log p(z) at the samples z of q."""
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        difference: Tensor = q.log_prob(z) - p.log_prob(z)
        return difference


def _kl_per_dim(q: Distribution, p: Distribution) -> Tensor | None:
    q_each, p_each = factors(q), factors(p)
    if q_each is None or p_each is None:
        return None
    try:
        return kl_divergence(q_each, p_each)
    except NotImplementedError:
        return None


def _mean(q: Distribution) -> Tensor:
    """The posterior mean (B, ...), or no rows where the distribution knows none."""
    try:
        return q.mean
    except NotImplementedError:
        return torch.empty(0)
