"""What the KL costs in the course of training."""

from __future__ import annotations

from torch import Tensor

from pyvae.objectives.base import Objective

__all__ = ["KLWeight", "WeightsKL"]

GROUPS = ("batch", "datum", "latent")


class KLWeight:
    r"""beta KL, beta rising linearly at first, or beta \|KL - C\|, C rising linearly.

    .. math::
        t_n = \min(1, n / N), \qquad w_n(e) = (1 - t_n)\, s + t_n\, e, \qquad
        \text{cost}(\mathrm{KL}) = w_n(\beta)\, \max(\mathrm{KL}, \lambda)
        \quad\text{or}\quad \beta\, |\mathrm{KL} - w_n(C)|

    Free bits are lambda nats of KL that cost nothing and give no gradient:

    - per "batch": max(mean KL, lambda), the mean that over the batch
    - per "datum": the mean over the batch of max(KL, lambda)
    - per "latent": the sum over latents of max(mean KL of the latent, lambda)

    A constant beta: Higgins et al. 2017, eq. 4. Warm-up: Sønderby et al. 2016; again and again, n
    counted from the start of each cycle: Fu et al. 2019. Capacity: Burgess et al. 2018, eq. 8,
    where beta is called gamma. Free bits: Kingma et al. 2016, eq. 15, whose groups of latents are
    one of all for "batch", and one of each for "latent".

    Args:
        objective: the name of the objective, for messages
        beta: the weight
        capacity: C in nats; None: the first form
        warm_up_steps: N in training steps; 0: t = 1 from the start
        warm_up_epochs: N in epochs, instead of steps
        warm_up_from: s, the weight, or the capacity, that the warm-up begins with
        cycle: after how many steps, or epochs, whichever the warm-up is in, it begins again; 0:
            never
        free_bits: lambda in nats, for which no KL is charged
        free_bits_per: "batch", "datum" or "latent": what each has its own lambda

    Raises:
        ValueError: a negative number, a warm-up in both units, a beginning without a warm-up, a
            cycle that is shorter than the warm-up, of one step, or has none; free bits per
            something else, or beside a capacity.
    """

    def __init__(
        self,
        objective: str,
        beta: float = 1.0,
        capacity: float | None = None,
        warm_up_steps: int = 0,
        warm_up_epochs: int = 0,
        warm_up_from: float = 0.0,
        cycle: int = 0,
        free_bits: float = 0.0,
        free_bits_per: str = "batch",
    ) -> None:
        for name, value in (
            ("beta", beta),
            ("capacity", capacity),
            ("warm_up_steps", warm_up_steps),
            ("warm_up_epochs", warm_up_epochs),
            ("warm_up_from", warm_up_from),
            ("cycle", cycle),
            ("free_bits", free_bits),
        ):
            if value is not None and value < 0:
                raise ValueError(f"{objective}: {name} must not be negative, got {value}")
        if warm_up_steps and warm_up_epochs:
            raise ValueError(
                f"{objective}: give warm_up_steps or warm_up_epochs, not both, "
                f"got {warm_up_steps} and {warm_up_epochs}"
            )
        warm_up = warm_up_steps or warm_up_epochs
        if warm_up_from and not warm_up:
            raise ValueError(
                f"{objective}: warm_up_from needs warm_up_steps or warm_up_epochs, got "
                f"{warm_up_from} alone"
            )
        if cycle and not 0 < warm_up <= cycle:
            raise ValueError(
                f"{objective}: a cycle needs a warm-up that is no longer, in the same unit, got "
                f"cycle={cycle} and a warm-up of {warm_up}"
            )
        if cycle == 1:
            raise ValueError(f"{objective}: a cycle must have 2 steps or epochs, or more, got 1")
        if free_bits_per not in GROUPS:
            raise ValueError(
                f"{objective}: free_bits_per must be one of {', '.join(GROUPS)}, "
                f"got {free_bits_per!r}"
            )
        if free_bits and capacity is not None:
            raise ValueError(
                f"{objective}: give free_bits or capacity, not both, got {free_bits} and {capacity}"
            )
        self.beta = beta
        self.capacity = capacity
        self.cycle, self.free_bits, self.free_bits_per = cycle, free_bits, free_bits_per
        self.steps, self.epochs, self.start = warm_up_steps, warm_up_epochs, warm_up_from
        self.begin(0, 0)

    def begin(self, step: int, epoch: int) -> None:
        """Where training is, both counted from 0."""
        self.progress = self._progress(step, epoch)

    def notes(self, steps: int, epochs: int) -> list[str]:
        """That a run of so many steps and epochs ends before the warm-up does."""
        reached = self._progress(steps - 1, epochs - 1)
        if reached == 1:
            return []
        name, end = ("beta", self.beta) if self.capacity is None else ("capacity", self.capacity)
        if self.cycle and (steps if self.steps else epochs) > self.cycle:
            now = self._risen(end, reached)
            return [
                f"the run ends in the warm-up of a cycle, with {name} at {now:.3g}, not {end:g}"
            ]
        unit, whole, run = "step", self.steps, steps
        if not self.steps:
            unit, whole, run = "epoch", self.epochs, epochs
        return [
            f"the warm-up takes {whole} {unit}s and the run has {run} {unit}{'s' * (run != 1)}: "
            f"{name} will reach {self._risen(end, reached):.3g}, not {end:g}"
        ]

    def _progress(self, step: int, epoch: int) -> float:
        if self.cycle:
            step, epoch = step % self.cycle, epoch % self.cycle
        if self.steps:
            return min(1.0, step / self.steps)
        return min(1.0, epoch / self.epochs) if self.epochs else 1.0

    def _risen(self, end: float, progress: float) -> float:
        """What has come so far on its way to its end."""
        return (1 - progress) * self.start + progress * end

    @property
    def weight(self) -> float:
        """The weight of the KL now."""
        return self.beta if self.capacity is not None else self._risen(self.beta, self.progress)

    @property
    def scheduled(self) -> bool:
        """Whether the weight depends on where training is."""
        return bool(self.steps or self.epochs)

    @property
    def linear(self) -> bool:
        """Whether the cost is ``weight`` times the mean KL."""
        return self.capacity is None and not self.free_bits

    @property
    def per_latent(self) -> bool:
        """Whether the cost is of the KL of each latent."""
        return self.free_bits > 0 and self.free_bits_per == "latent"

    def cost(self, kl: Tensor) -> Tensor:
        """What the KL adds to the loss.

        Args:
            kl: of each datum (B,), or estimates from samples (K, B); with ``per_latent`` that of
                each latent (B, D)
        """
        if self.capacity is not None:
            return self.weight * (kl.mean() - self._risen(self.capacity, self.progress)).abs()
        if not self.free_bits:
            charged = kl.mean()
        elif self.per_latent:
            charged = kl.mean(0).clamp(min=self.free_bits).sum()
        else:
            charged = self._grouped(kl).clamp(min=self.free_bits).mean()
        return self.weight * charged

    def slope(self, kl: Tensor) -> Tensor | float:
        """B times the derivative of the cost with respect to the KL of each datum, () or (B,).

        Args:
            kl: of each datum (B,), or estimates from samples (K, B)
        """
        if self.capacity is not None:
            excess = kl.detach().mean() - self._risen(self.capacity, self.progress)
            return self.weight * excess.sign()
        if not self.free_bits:
            return self.weight
        return self.weight * (self._grouped(kl.detach()) >= self.free_bits)

    def _grouped(self, kl: Tensor) -> Tensor:
        """The KL of each datum, or of the batch, whichever has free bits of its own."""
        if self.free_bits_per == "batch":
            return kl.mean()
        return kl.mean(0) if kl.ndim > 1 else kl


class WeightsKL(Objective):
    """An objective whose KL has a weight, which training moves.

    Attributes:
        kl_weight: the weight, set where the objective is made
    """

    kl_weight: KLWeight

    def notes(self, steps: int, epochs: int) -> list[str]:
        return self.kl_weight.notes(steps, epochs)

    def step_begin(self, step: int, epoch: int) -> None:
        self.kl_weight.begin(step, epoch)

    @property
    def scheduled(self) -> bool:
        return self.kl_weight.scheduled
