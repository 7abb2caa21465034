"""Layers from a decoder's output to p(x|z)."""

from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.bernoulli import BernoulliLikelihood
from pyvae.likelihoods.categorical import CategoricalLikelihood
from pyvae.likelihoods.continuous_bernoulli import ContinuousBernoulliLikelihood
from pyvae.likelihoods.data_range import BITS, BYTES, COUNTS, REAL, UNIT, DataRange
from pyvae.likelihoods.discretized_logistic import DiscretizedLogisticLikelihood
from pyvae.likelihoods.discretized_logistic_mixture import DiscretizedLogisticMixtureLikelihood
from pyvae.likelihoods.gaussian import GaussianLikelihood
from pyvae.likelihoods.laplace import LaplaceLikelihood
from pyvae.likelihoods.mixed import MixedLikelihood
from pyvae.likelihoods.multinomial import MultinomialLikelihood
from pyvae.likelihoods.negative_binomial import (
    NegativeBinomialLikelihood,
    ZeroInflatedNegativeBinomialLikelihood,
)
from pyvae.likelihoods.poisson import PoissonLikelihood

__all__ = [
    "BITS",
    "BYTES",
    "COUNTS",
    "REAL",
    "UNIT",
    "BernoulliLikelihood",
    "CategoricalLikelihood",
    "ContinuousBernoulliLikelihood",
    "DataRange",
    "DiscretizedLogisticLikelihood",
    "DiscretizedLogisticMixtureLikelihood",
    "GaussianLikelihood",
    "LaplaceLikelihood",
    "Likelihood",
    "MixedLikelihood",
    "MultinomialLikelihood",
    "NegativeBinomialLikelihood",
    "PoissonLikelihood",
    "ZeroInflatedNegativeBinomialLikelihood",
]
