"""What the KL costs in the course of training."""

from __future__ import annotations

from torch import Tensor

__all__ = ["KLWeight"]


class KLWeight:
    r"""beta KL, beta rising linearly at first, or beta \|KL - C\|, C rising linearly.

    .. math::
        t_n = \min(1, n / N), \qquad
        \text{cost}(\mathrm{KL}) = t_n\, \beta\, \mathrm{KL}
        \quad\text{or}\quad \beta\, |\mathrm{KL} - t_n\, C|

    A constant beta: Higgins et al. 2017, eq. 4. Warm-up: Sønderby et al. 2016. Capacity:
    Burgess et al. 2018, eq. 8, where beta is called gamma.

    Args:
        objective: the name of the objective, for messages
        beta: the weight
        capacity: C in nats; None: the first form
        warm_up_steps: N in training steps; 0: t = 1 from the start
        warm_up_epochs: N in epochs, instead of steps

    Raises:
        ValueError: a negative number, or a warm-up in both units.
    """

    def __init__(
        self,
        objective: str,
        beta: float = 1.0,
        capacity: float | None = None,
        warm_up_steps: int = 0,
        warm_up_epochs: int = 0,
    ) -> None:
        for name, value in (
            ("beta", beta),
            ("capacity", capacity),
            ("warm_up_steps", warm_up_steps),
            ("warm_up_epochs", warm_up_epochs),
        ):
            if value is not None and value < 0:
                raise ValueError(f"{objective}: {name} must not be negative, got {value}")
        if warm_up_steps and warm_up_epochs:
            raise ValueError(
                f"{objective}: give warm_up_steps or warm_up_epochs, not both, "
                f"got {warm_up_steps} and {warm_up_epochs}"
            )
        self.beta = beta
        self.capacity = capacity
        self.steps, self.epochs = warm_up_steps, warm_up_epochs
        self.begin(0, 0)

    def begin(self, step: int, epoch: int) -> None:
        """Where training is, both counted from 0."""
        self.progress = self._progress(step, epoch)

    def notes(self, steps: int, epochs: int) -> list[str]:
        """That a run of so many steps and epochs ends before the warm-up does."""
        reached = self._progress(steps - 1, epochs - 1)
        if reached == 1:
            return []
        unit, whole, run = "step", self.steps, steps
        if not self.steps:
            unit, whole, run = "epoch", self.epochs, epochs
        name, end = ("beta", self.beta) if self.capacity is None else ("capacity", self.capacity)
        return [
            f"the warm-up takes {whole} {unit}s and the run has {run} {unit}{'s' * (run != 1)}: "
            f"{name} will reach {reached * end:.3g}, not {end:g}"
        ]

    def _progress(self, step: int, epoch: int) -> float:
        if self.steps:
            return min(1.0, step / self.steps)
        return min(1.0, epoch / self.epochs) if self.epochs else 1.0

    def cost(self, kl: Tensor) -> Tensor:
        """What a mean KL (a scalar) adds to the loss."""
        if self.capacity is None:
            return self.progress * self.beta * kl
        return self.beta * (kl - self.progress * self.capacity).abs()

    def slope(self, kl: Tensor) -> Tensor | float:
        """The derivative of the cost with respect to the KL."""
        if self.capacity is None:
            return self.progress * self.beta
        return self.beta * (kl.detach() - self.progress * self.capacity).sign()
