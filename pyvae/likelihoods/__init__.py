"""Layers from a decoder's output to p(x|z)."""

from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.bernoulli import BernoulliLikelihood
from pyvae.likelihoods.gaussian import GaussianLikelihood

__all__ = ["BernoulliLikelihood", "GaussianLikelihood", "Likelihood"]
