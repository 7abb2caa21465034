"""The distribution of the hidden units of a restricted Boltzmann machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from pyvae.distributions.base import check_event
from pyvae.models.rbm.energy import Energy

__all__ = ["HiddenUnits"]

CHAINS, APART = 100, 10  # samples come from so many chains at most, so many steps apart


class HiddenUnits(Distribution):
    r"""p(h) = sum_v exp(-E(v, h)) / Z.

    Args:
        energy: of the machine
        log_z: its log Z (), asked for with the first density
        base: visible biases of the machine without weights that chains begin at (D,)
        steps: of Gibbs sampling before the first sample
    """

    has_rsample = False
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    support = constraints.independent(constraints.boolean, 1)

    def __init__(
        self, energy: Energy, log_z: Callable[[], Tensor], base: Tensor, steps: int
    ) -> None:
        self.energy, self._log_z, self._base, self._steps = energy, log_z, base, steps
        super().__init__(Size(), energy.hidden.shape, validate_args=False)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Zeros and ones (*sample_shape, H), from chains of Gibbs sampling.

        Of more than 100, the rest are later states of the same chains.
        """
        shape = Size(sample_shape)
        n = shape.numel()
        with torch.no_grad():
            blank = self._base.new_zeros(min(n, CHAINS), *self.event_shape)
            v = self.energy.between(self._base, 0.0).sample_visible(blank)
            drawn = [blank[:0]]
            for start in range(0, n, CHAINS):
                v = self.energy.gibbs(v, APART if start else self._steps)
                drawn.append(self.energy.sample_hidden(v))
        return torch.cat(drawn)[:n].reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(h) in nats, for h (*batch, H)."""
        check_event(self, value)
        return -self.energy.hidden_free_energy(value) - self._log_z()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Distribution:
        raise NotImplementedError("HiddenUnits: it is the one distribution of its machine")
