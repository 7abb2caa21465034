"""Restricted Boltzmann machines."""

from pyvae.models.rbm.model import RBM

__all__ = ["RBM"]
