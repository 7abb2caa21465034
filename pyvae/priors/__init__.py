"""Distributions p(z)."""

from pyvae.priors.base import Prior
from pyvae.priors.diagonal_gaussian import DiagonalGaussianPrior
from pyvae.priors.standard_normal import StandardNormalPrior

__all__ = ["DiagonalGaussianPrior", "Prior", "StandardNormalPrior"]
