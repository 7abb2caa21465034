"""Flows and distributions of nflows as priors and posteriors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from pyvae.integrations._library import library
from pyvae.posteriors import Posterior
from pyvae.priors import Prior

__all__ = ["NFlowsDistribution", "NFlowsPosterior", "NFlowsPrior"]

library("nflows", "nflows")


class NFlowsDistribution(Distribution):
    """A flow or distribution of nflows over vectors, given its context.

    The density of what ``rsample`` has just given is remembered, so that no map is inverted for it.

    Args:
        flow: an ``nflows.flows.Flow``, or any ``nflows.distributions.Distribution`` over vectors
        latent_dim: their length
        context: (*batch, features) that the flow takes; None: it takes none

    Raises:
        TypeError: the flow is none.

    >>> from nflows.distributions import StandardNormal
    >>> p = NFlowsDistribution(StandardNormal([2]), 2)
    >>> p.rsample((5,)).shape, p.log_prob(torch.zeros(2))
    (torch.Size([5, 2]), tensor(-1.8379))
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    support = constraints.real_vector

    def __init__(self, flow: nn.Module, latent_dim: int, context: Tensor | None = None) -> None:
        self.flow = _checked(flow)
        self.context = context
        self._last: tuple[Tensor, int, Tensor] | None = None
        batch = torch.Size() if context is None else context.shape[:-1]
        super().__init__(batch, torch.Size([latent_dim]), validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, latent_dim), differentiable.

        Raises:
            NotImplementedError: gradients are wanted, but the flow draws without them.
        """
        shape = torch.Size(sample_shape) + self.batch_shape
        context = self._contexts(torch.Size(sample_shape))
        count = shape.numel()
        if count == 0:
            like = next((p for p in self.flow.parameters()), torch.empty(()))
            return like.new_empty(shape + self.event_shape)
        # without context, so many draws; with it, one draw for each of its rows
        drawn, log_prob = self.flow.sample_and_log_prob(
            1 if context is not None else count, context
        )
        wanted = torch.is_grad_enabled() and context is not None and context.requires_grad
        if wanted and not drawn.requires_grad:
            raise NotImplementedError(
                f"NFlowsDistribution: a posterior must draw differentiable samples, and "
                f"{type(self.flow).__name__} does not"
            )
        z: Tensor = drawn.reshape(shape + self.event_shape)
        self._last = (z, z._version, log_prob.reshape(shape))
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) in nats, with the batch dimensions of value and context broadcast.

        Args:
            value: (*sample, *batch, latent_dim)
        """
        if self._last is not None:
            z, version, log_prob = self._last
            known = log_prob.requires_grad or not torch.is_grad_enabled()
            if value is z and z._version == version and known:
                return log_prob
        if value.ndim == 0 or value.shape[-1:] != self.event_shape:
            raise ValueError(
                f"NFlowsDistribution.log_prob: value must have the event shape "
                f"{tuple(self.event_shape)}, got {tuple(value.shape)}"
            )
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        if shape.numel() == 0:
            return value.new_zeros(shape)
        rows = value.expand(shape + self.event_shape).reshape(-1, *self.event_shape)
        context = self._contexts(shape[: len(shape) - len(self.batch_shape)])
        return self.flow.log_prob(rows, context=context).reshape(shape)  # type: ignore[no-any-return]

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> NFlowsDistribution:
        new: NFlowsDistribution = type(self).__new__(type(self)) if _instance is None else _instance
        new.flow, new._last = self.flow, None
        batch = torch.Size(batch_shape)
        new.context = None
        if self.context is not None:
            new.context = self.context.expand(batch + self.context.shape[-1:])
        Distribution.__init__(new, batch, self.event_shape, validate_args=False)
        return new

    def _contexts(self, sample_shape: torch.Size) -> Tensor | None:
        """The context of each of the samples, as rows."""
        if self.context is None:
            return None
        features = self.context.shape[-1]
        return self.context.expand(*sample_shape, *self.context.shape).reshape(-1, features)


class NFlowsPrior(Prior):
    """p(z) as a flow or distribution of nflows, learned with the model.

    Args:
        flow: over vectors of latent_dim, without context
        latent_dim: the number of latents

    Raises:
        TypeError: the flow is none of nflows.

    >>> import pyvae
    >>> from nflows.distributions import StandardNormal
    >>> vae = pyvae.VAE((1, 8, 8), 2, prior=NFlowsPrior(StandardNormal([2]), 2))
    >>> pyvae.objectives.ELBO()(vae, torch.zeros(4, 1, 8, 8)).loss.shape
    torch.Size([])
    """

    def __init__(self, flow: nn.Module, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.flow = _checked(flow)

    def forward(self) -> NFlowsDistribution:
        return NFlowsDistribution(self.flow, self.latent_dim)


class NFlowsPosterior(Posterior):
    """q(z|x) as a flow or distribution of nflows whose context are the encoder's features.

    Args:
        flow: over vectors of latent_dim, given context (*, in_features), with differentiable
            samples
        in_features: the number of features
        latent_dim: the number of latents

    Raises:
        TypeError: the flow is none of nflows.

    >>> from nflows.distributions import ConditionalDiagonalNormal
    >>> q = NFlowsPosterior(ConditionalDiagonalNormal([2], nn.Linear(64, 4)), 64, 2)
    >>> q(torch.zeros(3, 64)).rsample().shape
    torch.Size([3, 2])
    """

    def __init__(self, flow: nn.Module, in_features: int, latent_dim: int) -> None:
        super().__init__(in_features, latent_dim)
        self.flow = _checked(flow)

    def forward(self, features: Tensor) -> NFlowsDistribution:
        return NFlowsDistribution(self.flow, self.latent_dim, features)


def _checked(flow: Any) -> Any:
    if not isinstance(flow, library("nflows.distributions", "nflows").Distribution):
        raise TypeError(f"expected a Flow or Distribution of nflows, got a {type(flow).__name__}")
    return flow
