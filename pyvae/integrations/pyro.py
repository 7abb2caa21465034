"""The distributions as those of Pyro: ``pyro.sample("z", DiagonalGaussian(mean, logvar))``.

Each class of :mod:`pyvae.distributions` under its own name, with Pyro's methods (``to_event``,
``mask``, ``expand_by``, calling it for a sample), for models and guides under every ELBO, in plates
and with vectorized particles. :func:`pyro_distribution` makes the same of a class of one's own.

>>> import pyro
>>> with pyro.plate("data", 3):
...     z = pyro.sample("z", DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2), event_ndim=1))
>>> z.shape
torch.Size([3, 2])
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch.distributions import Distribution

from pyvae import distributions
from pyvae.integrations._library import library

__all__ = [
    "Bernoulli",
    "BinaryChain",
    "Categorical",
    "Chain",
    "ContinuousBernoulli",
    "DiagonalGaussian",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "FlowDistribution",
    "GaussianMixture",
    "Laplace",
    "NegativeBinomial",
    "OneHot",
    "Poisson",
    "Rank1Gaussian",
    "RelaxedBernoulli",
    "StandardNormal",
    "ZeroInflatedNegativeBinomial",
    "pyro_distribution",
]

_torch = library("pyro.distributions.torch_distribution", "pyro")
_TorchDistributionMixin = _torch.TorchDistributionMixin


@functools.cache
def pyro_distribution(cls: type[Any]) -> Any:
    """The class with Pyro's methods: a subclass of it and of Pyro's ``TorchDistributionMixin``.

    Instances are those of ``cls`` in everything else; divergences registered for it hold.

    Args:
        cls: of this library, or one's own

    Raises:
        TypeError: it is no class of ``torch.distributions``.

    >>> pyro_distribution(distributions.Laplace) is Laplace
    True
    """
    if not (isinstance(cls, type) and issubclass(cls, Distribution)):
        raise TypeError(
            f"pyro_distribution: expected a subclass of torch.distributions.Distribution, got {cls}"
        )
    if issubclass(cls, _TorchDistributionMixin):
        return cls

    def expand(self: Any, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = cls.expand(self, torch.Size(batch_shape), _instance)
        return new if isinstance(new, made) else _with_state(cls, vars(new))

    def reduce(self: Any) -> Any:
        return _with_state, (cls, vars(self))

    doc = f":class:`{cls.__module__}.{cls.__name__}` with Pyro's methods."
    body = {"expand": expand, "__reduce__": reduce, "__doc__": doc, "__module__": __name__}
    made = type(_TorchDistributionMixin)(cls.__name__, (cls, _TorchDistributionMixin), body)
    return made


def _with_state(cls: type[Any], state: dict[str, Any]) -> Any:
    made = pyro_distribution(cls)  # type: ignore[arg-type]  # mypy takes a class for unhashable
    new = made.__new__(made)
    vars(new).update(state)
    return new


Bernoulli = pyro_distribution(distributions.Bernoulli)
BinaryChain = pyro_distribution(distributions.BinaryChain)
Categorical = pyro_distribution(distributions.Categorical)
Chain = pyro_distribution(distributions.Chain)
ContinuousBernoulli = pyro_distribution(distributions.ContinuousBernoulli)
DiagonalGaussian = pyro_distribution(distributions.DiagonalGaussian)
DiscretizedLogistic = pyro_distribution(distributions.DiscretizedLogistic)
DiscretizedLogisticMixture = pyro_distribution(distributions.DiscretizedLogisticMixture)
FlowDistribution = pyro_distribution(distributions.FlowDistribution)
GaussianMixture = pyro_distribution(distributions.GaussianMixture)
Laplace = pyro_distribution(distributions.Laplace)
NegativeBinomial = pyro_distribution(distributions.NegativeBinomial)
OneHot = pyro_distribution(distributions.OneHot)
Poisson = pyro_distribution(distributions.Poisson)
Rank1Gaussian = pyro_distribution(distributions.Rank1Gaussian)
RelaxedBernoulli = pyro_distribution(distributions.RelaxedBernoulli)
StandardNormal = pyro_distribution(distributions.StandardNormal)
ZeroInflatedNegativeBinomial = pyro_distribution(distributions.ZeroInflatedNegativeBinomial)
