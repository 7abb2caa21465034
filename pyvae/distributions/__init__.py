"""``torch.distributions`` computed by the ops of :mod:`pyvae.functional`."""

from pyvae.distributions import reparameterize
from pyvae.distributions.base import OpDistribution
from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.categorical import Categorical
from pyvae.distributions.continuous_bernoulli import ContinuousBernoulli
from pyvae.distributions.discretized_logistic import DiscretizedLogistic
from pyvae.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from pyvae.distributions.flow import Bijection, FlowDistribution
from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.distributions.gaussian_mixture import GaussianMixture
from pyvae.distributions.kl import rsample_kl
from pyvae.distributions.laplace import Laplace
from pyvae.distributions.negative_binomial import NegativeBinomial, ZeroInflatedNegativeBinomial
from pyvae.distributions.one_hot import OneHot, RelaxedBernoulli
from pyvae.distributions.pending import Rank1Gaussian
from pyvae.distributions.planar import Planar
from pyvae.distributions.poisson import Poisson

__all__ = [
    "Bernoulli",
    "Bijection",
    "Categorical",
    "ContinuousBernoulli",
    "DiagonalGaussian",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "FlowDistribution",
    "GaussianMixture",
    "Laplace",
    "NegativeBinomial",
    "OneHot",
    "OpDistribution",
    "Planar",
    "Poisson",
    "Rank1Gaussian",
    "RelaxedBernoulli",
    "StandardNormal",
    "ZeroInflatedNegativeBinomial",
    "reparameterize",
    "rsample_kl",
]
