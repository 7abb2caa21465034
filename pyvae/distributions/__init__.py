"""``torch.distributions`` computed by the ops of :mod:`pyvae.functional`."""

from pyvae.distributions import reparameterize
from pyvae.distributions.autoregressive import Autoregressive
from pyvae.distributions.base import OpDistribution
from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.binary_chain import BinaryChain
from pyvae.distributions.categorical import Categorical
from pyvae.distributions.chain import Chain, layer_kl
from pyvae.distributions.continuous_bernoulli import ContinuousBernoulli
from pyvae.distributions.discretized_logistic import DiscretizedLogistic
from pyvae.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from pyvae.distributions.factors import factor_kl, factors
from pyvae.distributions.flow import Bijection, FlowDistribution
from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.distributions.gaussian_mixture import GaussianMixture
from pyvae.distributions.kl import rsample_kl
from pyvae.distributions.laplace import Laplace
from pyvae.distributions.log_ratio import path_log_prob, rsample_log_ratio
from pyvae.distributions.masked import Masked, observed
from pyvae.distributions.multinomial import Multinomial
from pyvae.distributions.negative_binomial import NegativeBinomial
from pyvae.distributions.one_hot import OneHot
from pyvae.distributions.planar import Planar
from pyvae.distributions.poisson import Poisson
from pyvae.distributions.product import Product
from pyvae.distributions.rank1_gaussian import Rank1Gaussian
from pyvae.distributions.relaxed_bernoulli import RelaxedBernoulli
from pyvae.distributions.zero_inflated import ZeroInflatedNegativeBinomial

__all__ = [
    "Autoregressive",
    "Bernoulli",
    "Bijection",
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
    "Masked",
    "Multinomial",
    "NegativeBinomial",
    "OneHot",
    "OpDistribution",
    "Planar",
    "Poisson",
    "Product",
    "Rank1Gaussian",
    "RelaxedBernoulli",
    "StandardNormal",
    "ZeroInflatedNegativeBinomial",
    "factor_kl",
    "factors",
    "layer_kl",
    "observed",
    "path_log_prob",
    "reparameterize",
    "rsample_kl",
    "rsample_log_ratio",
]
