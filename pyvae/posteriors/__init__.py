"""Layers from features to q(z|x)."""

from pyvae.posteriors.base import Posterior
from pyvae.posteriors.diagonal_gaussian import DiagonalGaussianPosterior

__all__ = ["DiagonalGaussianPosterior", "Posterior"]
