"""``torch.distributions`` computed by the ops of :mod:`pyvae.functional`."""

from pyvae.distributions.base import OpDistribution
from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.distributions.kl import rsample_kl
from pyvae.distributions.rank1_gaussian import Rank1Gaussian

__all__ = [
    "Bernoulli",
    "DiagonalGaussian",
    "OpDistribution",
    "Rank1Gaussian",
    "StandardNormal",
    "rsample_kl",
]
