"""log p(x) of a latent variable model by annealed importance sampling over its latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, constraints

from pyvae.metrics.hmc import HamiltonianMonteCarlo
from pyvae.models.annealing import annealed_importance_sampling, log_mean
from pyvae.models.base import Model
from pyvae.models.capacity import capacity

__all__ = ["ais_log_likelihood", "annealed_importance_sampling", "sigmoid_schedule"]


def sigmoid_schedule(steps: int, steepness: float = 4.0) -> list[float]:
    """Temperatures from 0 to 1, dense at both ends: ``steps + 1`` of them (Wu et al. 2017).

    >>> sigmoid_schedule(2)
    [0.0, 0.5, 1.0]
    """
    place = torch.linspace(-1, 1, steps + 1, dtype=torch.float64)
    raw = torch.sigmoid(steepness * place)
    betas: list[float] = ((raw - raw[0]) / (raw[-1] - raw[0])).tolist()
    return betas


def ais_log_likelihood(
    model: Model,
    x: Tensor,
    *,
    steps: int = 1000,
    chains: int = 16,
    leapfrog: int = 10,
    side: Mapping[str, Tensor] | None = None,
    tick: Callable[[int], None] = lambda data: None,
) -> Tensor:
    r"""log p(x) (B,) in nats, by chains from the prior to the posterior.

    .. math:: f_\beta(z) = p(z)\, p(x|z)^\beta

    Wu, Burda, Salakhutdinov & Grosse 2017: the transitions are Hamiltonian Monte Carlo. q(z|x) has
    no part in it, so that a poor one does no harm. Below the truth in expectation; the noise is
    torch's, in its order.

    Args:
        model: one whose latents are real numbers, of any number of layers
        x: data (B, *data_shape)
        steps: temperatures
        chains: for each datum
        leapfrog: steps of each trajectory
        side: side inputs of the model, (B, ...) each
        tick: called after each step of each piece of the data with their number; what it raises
            ends it

    Raises:
        ValueError: a number below 1.
        TypeError: latents that are no real numbers.

    >>> from pyvae import VAE
    >>> ais_log_likelihood(VAE((1, 4, 4), 2), torch.zeros(3, 1, 4, 4), steps=5, chains=2).shape
    torch.Size([3])
    """
    if min(steps, chains, leapfrog) < 1:
        raise ValueError(
            f"ais_log_likelihood: steps, chains and leapfrog must be at least 1, got {steps}, "
            f"{chains} and {leapfrog}"
        )
    betas = sigmoid_schedule(steps)
    rows = max(1, capacity(model, x, side or {}) // (4 * chains))
    found = [
        _of_rows(
            model,
            x[start : start + rows],
            {name: value[start : start + rows] for name, value in (side or {}).items()},
            betas,
            chains,
            leapfrog,
            tick,
        )
        for start in range(0, len(x), rows)
    ]
    return torch.cat(found) if found else torch.zeros(0, dtype=model.dtype, device=x.device)


def _of_rows(
    model: Model,
    x: Tensor,
    side: Mapping[str, Tensor],
    betas: list[float],
    chains: int,
    leapfrog: int,
    tick: Callable[[int], None],
) -> Tensor:
    with torch.no_grad():
        given = {name: side[name] for name in model.prior_inputs if name in side}
        prior = model.prior(**given)
        _need_reals(prior)
        batch = () if prior.batch_shape else (len(x),)
        z = prior.sample(torch.Size((chains, *batch)))

    def log_density(z: Tensor, beta: float) -> Tensor:
        log_prior: Tensor = prior.log_prob(z)
        log_density: Tensor = log_prior + beta * model.decode(z, **side).log_prob(x)
        return log_density

    if not model.latent_dim:
        with torch.no_grad():
            log_prob: Tensor = model.decode(z[0], **side).log_prob(x)
        return log_prob
    move = HamiltonianMonteCarlo(log_density, z, leapfrog)
    log_w = annealed_importance_sampling(z, log_density, move, betas, tick=lambda: tick(len(x)))
    return log_mean(log_w)


def _need_reals(prior: Distribution) -> None:
    """Raises: TypeError: the latents are codes, along which there is no gradient."""
    while isinstance(prior, Independent):
        prior = prior.base_dist
    support = prior.support
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if support is not constraints.real:
        raise TypeError(
            f"annealed importance sampling over latents moves real numbers by gradients, and those "
            f"of {type(prior).__name__} are none"
        )
