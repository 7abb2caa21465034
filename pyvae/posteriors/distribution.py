"""Any family of ``torch.distributions`` as a posterior."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributions, nn
from torch.distributions import Distribution, Independent, constraints, transform_to

from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["DistributionPosterior", "families"]

# what a parameter may be, for each latent a number of its own
SIMPLE: list[constraints.Constraint] = [
    constraints.real,
    constraints.positive,
    constraints.nonnegative,
    constraints.unit_interval,
]


def _parameters(family: Any) -> dict[str, constraints.Constraint] | None:
    """What a network must give for a family: names and ranges; None if the family does not fit."""
    known = getattr(family, "arg_constraints", None)
    if not isinstance(known, dict) or not family.has_rsample:
        return None
    if family is distributions.Dirichlet:
        return {"concentration": constraints.positive}
    if "logits" in known:  # the same as probs
        known = {name: c for name, c in known.items() if name != "probs"}
    if not known or any(all(c is not s for s in SIMPLE) for c in known.values()):
        return None
    try:
        made = family(**dict.fromkeys(known, torch.full((2,), 0.5)), validate_args=False)
    except TypeError:  # it needs something else besides
        return None
    return known if made.batch_shape == (2,) and not made.event_shape else None


def families() -> list[str]:
    """The names in ``torch.distributions`` that fit: continuous, with a sample that has gradients,
    and one number for each parameter and latent."""
    names = []
    for name in distributions.__all__:
        family = getattr(distributions, name)
        if isinstance(family, type) and issubclass(family, Distribution) and _parameters(family):
            names.append(name)
    return sorted(names)


@posteriors.register("distribution")
class DistributionPosterior(Posterior):
    """q(z|x) of any family of ``torch.distributions`` with ``rsample``, by its name.

    Each parameter is linear in the features, brought into its range by torch's ``transform_to``. A
    Dirichlet takes all latents as one vector, other families each latent by itself. The KL
    from the prior is estimated from samples unless torch knows it in closed form.

    Args:
        in_features: the number of features
        latent_dim: the number of latents
        family: Normal, Laplace, Gamma, StudentT, ...

    Raises:
        ValueError: no such family, or one that does not fit; the message lists those that do.

    >>> DistributionPosterior(64, 20, family="Gamma")(torch.zeros(3, 64)).event_shape
    torch.Size([20])
    """

    def __init__(self, in_features: int, latent_dim: int, family: str = "Normal") -> None:
        super().__init__(in_features, latent_dim)
        found: Any = getattr(distributions, family, None)
        fits = isinstance(found, type) and issubclass(found, Distribution)
        parameters = _parameters(found) if fits else None
        if not parameters:
            raise ValueError(
                f"distribution posterior: {family!r} is not a family that fits. "
                f"Choices: {', '.join(families())}"
            )
        self.family = found
        self.parameter_ranges = parameters
        self.linear = nn.Linear(in_features, len(parameters) * latent_dim)

    def forward(self, features: Tensor) -> Distribution:
        raw = self.linear(features).chunk(len(self.parameter_ranges), dim=-1)
        given = {
            name: transform_to(c)(value)
            for (name, c), value in zip(self.parameter_ranges.items(), raw, strict=True)
        }
        q: Distribution = self.family(**given, validate_args=False)
        return q if q.event_shape else Independent(q, 1, validate_args=False)
