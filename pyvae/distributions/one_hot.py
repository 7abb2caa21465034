"""Discrete latents, with relaxed samples for gradients and exact ones for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints, register_kl

from pyvae.distributions.base import precise, root
from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.reparameterize.base import uniform_noise

__all__ = ["OneHot", "RelaxedBernoulli"]

Self = TypeVar("Self", bound="OneHot")


class OneHot(Distribution):
    r"""Independent categorical variables as one vector of their one-hot codes.

    .. math:: \log p(z) = \sum_g z_g \cdot \log \operatorname{softmax}(l_g)

    ``sample`` draws codes; ``rsample`` draws from the relaxation softmax((l + Gumbel noise) / t),
    which tends to them as t falls to 0 (Jang et al. 2017; Maddison et al. 2017). The log-density is
    that of the codes, continued linearly to relaxed samples; so are the divergences.

    Args:
        logits: (*batch, groups, classes)
        temperature: t
        straight_through: let ``rsample`` give codes with the gradient of the relaxation

    >>> p = OneHot(torch.zeros(3, 2, 5))
    >>> p.event_shape, p.sample().sum(-1)
    (torch.Size([10]), tensor([2., 2., 2.]))
    """

    has_rsample = True

    def __init__(
        self, logits: Tensor, temperature: float = 1.0, *, straight_through: bool = False
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"OneHot: temperature must be positive, got {temperature}")
        self.logits = logits
        self.temperature = temperature
        self.straight_through = straight_through
        event = torch.Size([logits.shape[-2] * logits.shape[-1]])
        super().__init__(logits.shape[:-2], event, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {"logits": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(constraints.boolean, 1)

    @property
    def mean(self) -> Tensor:
        """The probabilities (*batch, groups * classes)."""
        return self.logits.softmax(-1).flatten(-2)

    @property
    def variance(self) -> Tensor:
        return self._variance().to(self.logits.dtype)

    @property
    def stddev(self) -> Tensor:
        return root(self._variance()).to(self.logits.dtype)

    def _variance(self) -> Tensor:
        """p (1 - p), where 1 - p is the sum of the other probabilities."""
        probs = precise(self.logits).softmax(-1)
        largest = torch.arange(probs.shape[-1], device=probs.device) == probs.argmax(-1, True)
        others = torch.where(largest, 0.0, probs).sum(-1, keepdim=True)
        return (probs * torch.where(largest, others, 1 - probs)).flatten(-2)

    def _gumbels(self, sample_shape: Sequence[int]) -> Tensor:
        shape = torch.Size(sample_shape) + self.logits.shape
        return self.logits - torch.log(-torch.log(uniform_noise(shape, self.logits)))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Codes (*sample_shape, *batch, groups * classes), exact."""
        with torch.no_grad():
            return _codes(self._gumbels(sample_shape)).flatten(-2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Relaxed codes (*sample_shape, *batch, groups * classes), differentiable."""
        scores = self._gumbels(sample_shape)
        below = scores - scores.detach().amax(-1, keepdim=True)  # no infinity less another
        soft = (below / self.temperature).softmax(-1)
        if self.straight_through:
            soft = _codes(soft.detach()) + soft - soft.detach()
        return soft.flatten(-2)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log-probability of codes (*sample, *batch, groups * classes)."""
        log_probs = precise(self.logits).log_softmax(-1).flatten(-2)
        lowest = torch.finfo(log_probs.dtype).min  # times 0 it is 0
        return (value * log_probs.clamp(min=lowest)).sum(-1)

    def entropy(self) -> Tensor:
        """H = -E log p(z); log p is linear in z."""
        return -self.log_prob(precise(self.logits).softmax(-1).flatten(-2))

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new: Self = self._get_checked_instance(OneHot, _instance)  # type: ignore[no-untyped-call]
        new.logits = self.logits.expand(torch.Size(batch_shape) + self.logits.shape[-2:])
        new.temperature, new.straight_through = self.temperature, self.straight_through
        Distribution.__init__(new, torch.Size(batch_shape), self._event_shape, validate_args=False)
        return new


def _codes(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores).scatter_(-1, scores.argmax(-1, keepdim=True), 1.0)


class RelaxedBernoulli(Bernoulli):
    """Independent 0/1 variables over vectors, with relaxed samples for gradients.

    ``rsample`` draws sigmoid((l + logistic noise) / t) (Maddison et al. 2017); all else is that of
    :class:`Bernoulli`, whose log-density is linear in the values.

    Args:
        logits: (*batch, D)
        temperature: t
        straight_through: let ``rsample`` give 0 or 1 with the gradient of the relaxation

    >>> RelaxedBernoulli(torch.zeros(3, 2), temperature=0.1).rsample().shape
    torch.Size([3, 2])
    """

    has_rsample = True

    def __init__(
        self, logits: Tensor, temperature: float = 1.0, *, straight_through: bool = False
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"RelaxedBernoulli: temperature must be positive, got {temperature}")
        super().__init__(logits=logits, event_ndim=1, validate_args=False)
        self.temperature = temperature
        self.straight_through = straight_through

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Relaxed zeros and ones (*sample_shape, *batch, D), differentiable."""
        noise = torch.logit(uniform_noise((*sample_shape, *self._logits.shape), self._logits))
        soft = torch.sigmoid((self._logits + noise) / self.temperature)
        if self.straight_through:
            soft = (soft.detach() > 0.5).to(soft.dtype) + soft - soft.detach()
        return soft

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> RelaxedBernoulli:
        new = super().expand(batch_shape, _instance)
        new.temperature, new.straight_through = self.temperature, self.straight_through
        return new


def _kl_one_hot(q: OneHot, p: OneHot) -> Tensor:
    """KL = E_q[log q(z) - log p(z)]; both are linear in z."""
    if q.logits.shape[-2:] != p.logits.shape[-2:]:
        raise ValueError(
            f"kl_divergence: both must have as many groups and classes, got "
            f"{tuple(q.logits.shape[-2:])} and {tuple(p.logits.shape[-2:])}"
        )
    return q.log_prob(q.mean) - p.log_prob(q.mean)


register_kl(OneHot, OneHot)(_kl_one_hot)
