"""Formulas over q(z|x), p(x|z) and p(z) that training minimises."""

from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.iwae import IWAE

__all__ = ["ELBO", "IWAE", "Batch", "Objective", "Phase", "Result"]
