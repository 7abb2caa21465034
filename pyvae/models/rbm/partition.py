"""log Z of a restricted Boltzmann machine by annealed importance sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pyvae.models.annealing import annealed_importance_sampling, log_mean
from pyvae.models.rbm.energy import Energy

__all__ = ["anneal", "schedule"]

# up to which beta, and which share of the machines (Salakhutdinov & Murray 2008, section 4)
STRETCHES = ((0.5, 1 / 29), (0.9, 8 / 29), (1.0, 20 / 29))


def schedule(steps: int) -> list[float]:
    """Betas from 0 to 1, most of them near 1, where the distribution changes most.

    >>> [round(beta, 3) for beta in schedule(29)][:4], len(schedule(29)), schedule(1)
    ([0.0, 0.5, 0.55, 0.6], 30, [0.0, 1.0])
    """
    ends, shares = zip((0.0, 0.0), *STRETCHES, strict=True)
    place = torch.tensor(shares, dtype=torch.float64).cumsum(0)
    want = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    stretch = torch.searchsorted(place, want).clamp(1, len(STRETCHES))
    low, high = torch.tensor(ends, dtype=torch.float64)[torch.stack([stretch - 1, stretch])]
    begin, end = place[torch.stack([stretch - 1, stretch])]
    betas: list[float] = torch.lerp(low, high, ((want - begin) / (end - begin))).tolist()
    return [0.0, *betas[1:-1], 1.0]


def anneal(energy: Energy, base: Tensor, steps: int, chains: int) -> tuple[Tensor, Tensor]:
    """log Z () and the standard error of its estimate ().

    The chains begin at a machine without weights, whose log Z is known, and go by way of machines
    with a growing share of the weights: Salakhutdinov & Murray 2008.

    Args:
        energy: of the machine
        base: visible biases of the first one (D,), best those of the mean of the data
        steps: how many machines they go through
        chains: how many there are
    """
    blank = energy.between(base, 0.0)
    none = base.new_zeros(chains, len(energy.hidden))
    log_w = annealed_importance_sampling(
        blank.sample_visible(none),
        lambda v, beta: -energy.between(base, beta).free_energy(v),
        lambda v, beta: energy.between(base, beta).gibbs(v, 1),
        schedule(steps),
    ).double()
    # each hidden unit of the first machine is free to be 0 or 1
    log_z0 = len(energy.hidden) * math.log(2) - blank.hidden_free_energy(none[0]).double()
    log_ratio = log_mean(log_w)
    error = (log_w - log_ratio).exp().std(correction=0) / math.sqrt(chains)
    return (log_z0 + log_ratio).to(base.dtype), error.to(base.dtype)
