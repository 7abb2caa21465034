"""``torch.distributions`` computed by the ops of :mod:`pyvae.functional`."""

from pyvae.distributions.base import OpDistribution
from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.distributions.kl import rsample_kl

__all__ = ["Bernoulli", "DiagonalGaussian", "OpDistribution", "StandardNormal", "rsample_kl"]
