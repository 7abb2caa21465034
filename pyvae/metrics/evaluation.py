"""The evaluation of a model on data, a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from pyvae.distributions import factor_kl, layer_kl
from pyvae.metrics.aggregate import Aggregate, Posteriors
from pyvae.metrics.moments import Moments
from pyvae.models.base import Model
from pyvae.models.importance import log_marginal
from pyvae.models.weights import infer

__all__ = ["Evaluation", "bits_per_dim", "evaluate", "seeded"]


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Within, torch draws from ``seed``; afterwards as if nothing had been drawn."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def bits_per_dim(log_likelihood: float, data_shape: tuple[int, ...]) -> float:
    """-log2 p(x) / dimensions, from nats per datum. A density gives no bits: discrete data only."""
    return -log_likelihood / (math.prod(data_shape) * math.log(2))


@dataclass(frozen=True)
class Evaluation:
    """Means over the data, in nats per datum.

    Args:
        count: how many data
        elbo: E_q log p(x|z) - KL, with one sample of z for each datum
        reconstruction: E_q log p(x|z)
        kl: KL(q(z|x) || p(z)), in closed form where there is one
        log_likelihood: log p(x) by importance sampling; None if no samples were asked for
        num_samples: how many importance samples; 1 where there are no latents and it is exact
        log_likelihood_error: standard error of its mean over the data
        bits_per_dim: of log p(x) (else of the ELBO); None unless the data are discrete
        active_units: latents whose posterior mean varies by more than 0.01 over the data
        kl_per_dim: KL of each latent, or group of classes; None where the latents are dependent
        kl_per_layer: KL of each layer of latents given the one that it is drawn after, from the
            sample, h_1 first; None of models whose latents are no chain of layers
        aggregate: mutual information, total correlation and marginal KL of the aggregated posterior
            (see :class:`Aggregate`); None if not asked for, or for others than diagonal Gaussians
        accuracy: the share of labelled data whose class the model finds; None where it tells none
        mmd: of the aggregated posterior and the prior, see :func:`prior_mmd`; None likewise, but
            for any posterior
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
    kl_per_layer: list[float] | None = None
    aggregate: Aggregate | None = None
    mmd: float | None = None
    accuracy: float | None = None

    @property
    def rate(self) -> float:
        """KL(q(z|x) || p(z)): what the latents cost (Alemi et al. 2018)."""
        return self.kl

    @property
    def distortion(self) -> float:
        """-E_q log p(x|z): what they leave unexplained."""
        return -self.reconstruction

    def to_dict(self) -> dict[str, Any]:
        """All figures by name, fit for JSON; those of ``aggregate`` stand beside the others."""
        figures = asdict(self)
        parts = figures.pop("aggregate") or dict.fromkeys(f.name for f in fields(Aggregate))
        parts["aggregate_points"] = parts.pop("points") or 0
        return {**figures, "rate": self.rate, "distortion": self.distortion, **parts}


@torch.no_grad()
def evaluate(
    model: Model,
    batches: Iterator[tuple[Tensor, Mapping[str, Tensor]]],
    *,
    num_samples: int = 0,
    discrete: bool = False,
    aggregate: int = 0,
    tick: Callable[[int], None] = lambda data: None,
) -> Evaluation:
    """Evaluate a model on data, which it takes a batch at a time.

    The figures depend on the batches' sizes and on torch's seed, nothing else (see ``seeded``).

    Args:
        model: any model with encode, decode and prior
        batches: pairs of data (B, *data_shape) and side inputs of the model
        num_samples: importance samples for log p(x) (Burda et al. 2016); 0: none
        discrete: whether the data are discrete, so that bits per dimension mean something
        aggregate: at how many samples to look at the aggregated posterior, which all the data's
            posteriors are kept for (3 D numbers for each datum); 0: not at all
        tick: called after each piece of the work with the number of samples of all its data, of
            which each datum has num_samples + 1; what it raises ends the evaluation

    Raises:
        ValueError: there are no data.
    """
    if not model.latent_dim or model.prior_inputs:  # nothing to aggregate, or nothing to compare
        aggregate = 0
    if not model.latent_dim:  # log p(x) is exact
        num_samples = min(num_samples, 1)
    bound, kls, marginal, means, each, layers, right = (Moments() for _ in range(7))
    posteriors = Posteriors()
    for x, side in batches:
        q, p = infer(model, x, side)
        z = q.sample()
        kl = _kl(q, p, z)
        reconstruction = model.decode(z, **side).log_prob(x)
        tick(len(x))
        bound.add(reconstruction - kl)
        kls.add(kl)
        means.add(_mean(q))
        kl_each = _kl_per_dim(q, p)
        if kl_each is not None:
            each.add(kl_each)
        kl_layers = layer_kl(q, p, z)
        if kl_layers is not None:
            layers.add(kl_layers)
        if aggregate:
            posteriors.add(q, z)
        if model.classes and "label" in side:
            labelled = (side["label"] >= 0) & (side["label"] < model.classes)
            found = model.class_logits(x[labelled]).argmax(-1)
            right.add((found == side["label"][labelled]).double())
        if num_samples:
            marginal.add(log_marginal(model, x, num_samples, side, tick=tick))
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
        log_likelihood_error=marginal.error if num_samples else None,
        bits_per_dim=bits_per_dim(best, model.data_shape) if discrete else None,
        active_units=int((means.variance > 0.01).sum()) if means.count else None,
        kl_per_dim=torch.as_tensor(each.mean).tolist() if each.count else None,
        kl_per_layer=torch.as_tensor(layers.mean).tolist() if layers.count else None,
        aggregate=posteriors.figures(model.prior(), aggregate) if aggregate else None,
        mmd=posteriors.mmd(model.prior()) if aggregate else None,
        accuracy=float(right.mean) if right.count else None,
    )


def _kl(q: Distribution, p: Distribution, z: Tensor) -> Tensor:
    """KL(q || p) (B,), in closed form, else log q(z) - log p(z) at the samples z of q."""
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        difference: Tensor = q.log_prob(z) - p.log_prob(z)
        return difference


def _kl_per_dim(q: Distribution, p: Distribution) -> Tensor | None:
    try:
        return factor_kl(q, p)
    except NotImplementedError:
        return None


def _mean(q: Distribution) -> Tensor:
    """The posterior mean (B, ...), or no rows where the distribution knows none."""
    try:
        return q.mean
    except NotImplementedError:
        return torch.empty(0)
