"""log Z of a restricted Boltzmann machine by annealed importance sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pyvae.models.annealing import annealed_importance_sampling, log_mean
from pyvae.models.rbm.energy import Energy

__all__ = ["anneal"]


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
        torch.linspace(0, 1, steps + 1, dtype=torch.float64).tolist(),
    ).double()
    # each hidden unit of the first machine is free to be 0 or 1
    log_z0 = len(energy.hidden) * math.log(2) - blank.hidden_free_energy(none[0]).double()
    log_ratio = log_mean(log_w)
    error = (log_w - log_ratio).exp().std(correction=0) / math.sqrt(chains)
    return (log_z0 + log_ratio).to(base.dtype), error.to(base.dtype)
