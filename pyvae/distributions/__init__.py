"""``torch.distributions`` computed by the ops of :mod:`pyvae.functional`."""

from pyvae.distributions.base import OpDistribution
from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.binary_chain import BinaryChain
from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.distributions.kl import rsample_kl
from pyvae.distributions.log_ratio import path_log_prob, rsample_log_ratio

__all__ = [
    "Bernoulli",
    "BinaryChain",
    "DiagonalGaussian",
    "OpDistribution",
    "StandardNormal",
    "path_log_prob",
    "rsample_kl",
    "rsample_log_ratio",
]
