"""Formulas over q(z|x), p(x|z) and p(z) that training minimises."""

from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.objectives.elbo import ELBO

__all__ = ["ELBO", "Batch", "Objective", "Phase", "Result"]
