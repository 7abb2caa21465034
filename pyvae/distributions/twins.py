"""The families that torch.distributions has too, and divergences between both libraries'."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch import distributions as td
from torch.distributions import Distribution, Independent

from pyvae.distributions.base import OpDistribution, one_event
from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.categorical import Categorical
from pyvae.distributions.continuous_bernoulli import ContinuousBernoulli
from pyvae.distributions.divergence import closed_form, divergence
from pyvae.distributions.gaussian import DiagonalGaussian
from pyvae.distributions.laplace import Laplace
from pyvae.distributions.negative_binomial import NegativeBinomial
from pyvae.distributions.one_hot import OneHot
from pyvae.distributions.poisson import Poisson

__all__ = ["as_ours", "as_torch"]

#: torch's family: ours, and the parameters by which each is made of the other. Of two names for
#: one parameter that which was given is taken.
TWINS: dict[type[Distribution], tuple[type[OpDistribution], tuple[str | tuple[str, str], ...]]] = {
    td.Bernoulli: (Bernoulli, (("probs", "logits"),)),
    td.Categorical: (Categorical, (("probs", "logits"),)),
    td.ContinuousBernoulli: (ContinuousBernoulli, (("probs", "logits"),)),
    td.Laplace: (Laplace, ("loc", "scale")),
    td.NegativeBinomial: (NegativeBinomial, ("total_count", ("probs", "logits"))),
    td.Normal: (DiagonalGaussian, ("loc", "scale")),
    td.OneHotCategorical: (OneHot, (("probs", "logits"),)),
    td.Poisson: (Poisson, ("rate",)),
}


def _parameters(p: Distribution, names: tuple[str | tuple[str, str], ...]) -> dict[str, Tensor]:
    given = p._given if isinstance(p, OpDistribution) else vars(p)
    chosen = [name if isinstance(name, str) else name[name[0] not in given] for name in names]
    return {name: getattr(p, name) for name in chosen}


def as_ours(p: Distribution) -> Distribution:
    """The same distribution in our classes, where there is one; else as it is.

    >>> import torch
    >>> as_ours(Independent(td.Normal(torch.zeros(3, 2), 1.0), 1))
    DiagonalGaussian(mean: torch.Size([3, 2]), scale: torch.Size([3, 2]), event_ndim: 1)
    """
    event_ndim, base = 0, p
    while isinstance(base, Independent):
        event_ndim += base.reinterpreted_batch_ndims
        base = base.base_dist
    twin = next((each for each in TWINS if isinstance(base, each)), None)
    if twin is None or isinstance(base, OpDistribution):
        return p
    family, names = TWINS[twin]
    made: Any = family
    given = _parameters(base, names)
    ours: Distribution
    if family is not OneHot:
        ours = made(**given, event_ndim=event_ndim, validate_args=False)
    elif event_ndim:  # its codes are matrices, ours vectors
        return p
    else:
        ours = made(**{k: t.unsqueeze(-2) for k, t in given.items()}, validate_args=False)
    return ours


def as_torch(p: Distribution) -> Distribution:
    """The same distribution in torch's classes, where there is one; else as it is.

    >>> import torch
    >>> as_torch(Poisson(torch.ones(3, 2), event_ndim=1))
    Independent(Poisson(rate: torch.Size([3, 2])), 1)
    """
    twin = next((each for each, (family, _) in TWINS.items() if isinstance(p, family)), None)
    if twin is None:
        return p
    _, names = TWINS[twin]
    given = _parameters(p, names)
    if isinstance(p, OneHot):
        if p.param_shape[-2] > 1:
            return p
        given = {k: t.squeeze(-2) for k, t in given.items()}
    made: Any = twin
    theirs: Distribution = made(**given, validate_args=False)
    n = len(p.event_shape) - len(theirs.event_shape)
    return Independent(theirs, n, validate_args=False) if n else theirs


def _kl_of_twins(q: Distribution, p: Distribution) -> Tensor:
    """By our own formula, where there is one for both families, else by torch's."""
    one_event(q, p)
    ours = as_ours(q), as_ours(p)
    converted = ours[0] is not q or ours[1] is not p
    if converted and all(isinstance(each, OpDistribution) for each in ours):
        return divergence(*ours)
    # nothing of ours is registered for both, or this would not have been called
    theirs = as_torch(q), as_torch(p)
    if any(isinstance(each, OpDistribution) for each in theirs):
        raise NotImplementedError(
            f"kl_divergence: no closed form is known for {type(q).__name__} and {type(p).__name__}"
        )
    return divergence(*theirs)


closed_form(OpDistribution, OpDistribution)(_kl_of_twins)
closed_form(Categorical, td.Categorical)(_kl_of_twins)  # ours is one of torch's, too
closed_form(td.Categorical, Categorical)(_kl_of_twins)
for _family in (Distribution, Independent, *TWINS):
    closed_form(OpDistribution, _family)(_kl_of_twins)
    closed_form(_family, OpDistribution)(_kl_of_twins)
