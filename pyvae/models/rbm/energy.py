"""The energy of a restricted Boltzmann machine, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["Energy"]

CHUNK = 2**12  # configurations that are looked at at a time
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Energy:
    r"""E(v, h) of D visible and H hidden units; the hidden ones are zeros and ones.

    .. math::
        E(v, h) = -b \cdot v - c \cdot h - h^T W v \quad\text{or}\quad
        \sum_i \frac{(v_i - b_i)^2}{2 \sigma_i^2} - c \cdot h - h^T W \frac{v}{\sigma^2}

    The first is that of visible zeros and ones (Smolensky 1986; Hinton 2002), the second that of
    real ones, p(v|h) = N(b + W^T h, sigma^2) (Freund & Haussler 1992; Welling et al. 2004).

    Args:
        weight: W (H, D)
        visible: b (D,)
        hidden: c (H,)
        logvar: log sigma^2, which broadcasts with b; None: zeros and ones

    >>> energy = Energy(torch.zeros(2, 3), torch.zeros(3), torch.zeros(2))
    >>> energy.log_z(), energy.free_energy(torch.zeros(3))  # log 2^5, -log 2^2
    (tensor(3.4657), tensor(-1.3863))
    """

    weight: Tensor
    visible: Tensor
    hidden: Tensor
    logvar: Tensor | None = None

    def hidden_logits(self, v: Tensor) -> Tensor:
        """log-odds of h = 1 given v (*batch, H), for v (*batch, D)."""
        seen = v if self.logvar is None else v * torch.exp(-self.logvar)
        return self.hidden + seen @ self.weight.T

    def field(self, h: Tensor) -> Tensor:
        """b + W^T h (*batch, D): the log-odds of v = 1 given h, or the mean of v."""
        return self.visible + h @ self.weight

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log sum_h exp(-E(v, h)) (*batch,), so that log p(v) = -F(v) - log Z."""
        if self.logvar is None:
            alone = -(v @ self.visible)
        else:
            alone = ((v - self.visible).square() * torch.exp(-self.logvar)).sum(-1) / 2
        return alone - softplus(self.hidden_logits(v)).sum(-1)

    def hidden_free_energy(self, h: Tensor) -> Tensor:
        """-log sum_v exp(-E(v, h)) (*batch,), an integral over real v."""
        field = self.field(h)
        if self.logvar is None:
            volume = softplus(field).sum(-1)
        else:
            rise = (field.square() - self.visible.square()) * torch.exp(-self.logvar)
            volume = (rise + self.logvar + LOG_2PI).sum(-1) / 2
        return -(h @ self.hidden) - volume

    def sample_visible(self, h: Tensor) -> Tensor:
        """A draw from p(v|h) (*batch, D)."""
        field = self.field(h)
        if self.logvar is None:
            return torch.bernoulli(torch.sigmoid(field))
        return field + torch.exp(self.logvar / 2) * torch.randn_like(field)

    def sample_hidden(self, v: Tensor) -> Tensor:
        """A draw from p(h|v) (*batch, H)."""
        return torch.bernoulli(torch.sigmoid(self.hidden_logits(v)))

    def gibbs(self, v: Tensor, steps: int) -> Tensor:
        """v (*batch, D) after so many times h ~ p(h|v), v ~ p(v|h)."""
        for _ in range(steps):
            v = self.sample_visible(self.sample_hidden(v))
        return v

    @property
    def smaller_side(self) -> int:
        """The number of units that log Z is a sum over."""
        sides = self.weight.shape if self.logvar is None else self.weight.shape[:1]
        return min(sides)

    def log_z(self) -> Tensor:
        """log sum_{v, h} exp(-E(v, h)) (), exactly, by a sum over the smaller side; in its time."""
        units = self.smaller_side
        over_hidden = units == self.weight.shape[0]
        free = self.hidden_free_energy if over_hidden else self.free_energy
        place = torch.arange(units, device=self.weight.device)
        parts = []
        for start in range(0, 2**units, CHUNK):
            end = min(start + CHUNK, 2**units)
            number = torch.arange(start, end, device=self.weight.device)
            bits = (number[:, None] >> place) & 1
            parts.append((-free(bits.to(self.weight.dtype))).logsumexp(0))
        return torch.stack(parts).logsumexp(0)

    def between(self, start: Tensor, beta: float) -> Energy:
        """The machine so far on the way from one of independent units, of visible biases ``start``.

        At beta = 0 it has no weights, at beta = 1 it is this one: Salakhutdinov & Murray 2008.
        """
        visible = torch.lerp(start, self.visible, beta)
        return Energy(beta * self.weight, visible, beta * self.hidden, self.logvar)
