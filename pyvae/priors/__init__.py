"""Distributions p(z)."""

from pyvae.priors.base import Prior
from pyvae.priors.conditional_gaussian import ConditionalGaussianPrior
from pyvae.priors.diagonal_gaussian import DiagonalGaussianPrior
from pyvae.priors.flow import AutoregressivePrior, FlowPrior
from pyvae.priors.mixture_of_gaussians import MixtureOfGaussiansPrior
from pyvae.priors.standard_normal import StandardNormalPrior
from pyvae.priors.uniform_categorical import UniformCategoricalPrior
from pyvae.priors.vampprior import VampPrior

__all__ = [
    "AutoregressivePrior",
    "ConditionalGaussianPrior",
    "DiagonalGaussianPrior",
    "FlowPrior",
    "MixtureOfGaussiansPrior",
    "Prior",
    "StandardNormalPrior",
    "UniformCategoricalPrior",
    "VampPrior",
]
