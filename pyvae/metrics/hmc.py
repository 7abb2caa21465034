"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["HamiltonianMonteCarlo"]

WANTED = 0.65  # share of accepted moves (Neal 2011, section 4.4)
PACE = 0.02  # how fast the step size follows


class HamiltonianMonteCarlo:
    """Transitions that leave a density as it is, at any temperature.

    Neal 2011. The step size of each datum follows the share of accepted moves of its chains, as in
    Wu, Burda, Salakhutdinov & Grosse 2017.

    Args:
        log_density: z (chains, B, D) and beta -> log f_beta(z) (chains, B)
        z: states, for their shape
        leapfrog: steps of a trajectory
        step_size: the first one
    """

    def __init__(
        self,
        log_density: Callable[[Tensor, float], Tensor],
        z: Tensor,
        leapfrog: int,
        step_size: float = 0.1,
    ) -> None:
        self.log_density, self.leapfrog = log_density, leapfrog
        self.step_size = z.new_full((1, z.shape[1], 1), step_size)

    def __call__(self, z: Tensor, beta: float) -> Tensor:
        """The next states (chains, B, D)."""
        momentum = torch.randn_like(z)
        log_f, slope = self._slope(z, beta)
        start = log_f - momentum.square().sum(-1) / 2
        place = z
        momentum = momentum + self.step_size / 2 * slope
        for left in reversed(range(self.leapfrog)):
            place = place + self.step_size * momentum
            log_f, slope = self._slope(place, beta)
            momentum = momentum + self.step_size / (1 if left else 2) * slope
        end = log_f - momentum.square().sum(-1) / 2
        # a trajectory that left the finite numbers is not accepted
        accepted = torch.rand_like(end) < (end - start).exp()
        share = accepted.to(z.dtype).mean(0)[:, None]
        self.step_size = self.step_size * (1 + PACE * torch.sign(share - WANTED))
        return torch.where(accepted.unsqueeze(-1), place, z)

    def _slope(self, z: Tensor, beta: float) -> tuple[Tensor, Tensor]:
        """log f_beta(z) and its gradient."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            log_f = self.log_density(z, beta)
            (slope,) = torch.autograd.grad(log_f.sum(), z)
        return log_f.detach(), slope
