"""Layers from features to q(z|x)."""

from pyvae.posteriors.base import Posterior
from pyvae.posteriors.delta_gaussian import DeltaGaussianPosterior
from pyvae.posteriors.diagonal_gaussian import DiagonalGaussianPosterior
from pyvae.posteriors.discrete import BernoulliPosterior, CategoricalPosterior
from pyvae.posteriors.distribution import DistributionPosterior
from pyvae.posteriors.flow import IAFPosterior, PlanarPosterior, SplinePosterior
from pyvae.posteriors.full_gaussian import FullGaussianPosterior
from pyvae.posteriors.mixture_of_gaussians import MixtureOfGaussiansPosterior
from pyvae.posteriors.rank1_gaussian import Rank1GaussianPosterior

__all__ = [
    "BernoulliPosterior",
    "CategoricalPosterior",
    "DeltaGaussianPosterior",
    "DiagonalGaussianPosterior",
    "DistributionPosterior",
    "FullGaussianPosterior",
    "IAFPosterior",
    "MixtureOfGaussiansPosterior",
    "PlanarPosterior",
    "Posterior",
    "Rank1GaussianPosterior",
    "SplinePosterior",
]
