"""Models made of parts."""

from pyvae.models.autoregressive import AutoregressiveModel
from pyvae.models.base import Model
from pyvae.models.helmholtz import HelmholtzMachine, delta_rule
from pyvae.models.impute import impute
from pyvae.models.vae import VAE

__all__ = ["VAE", "AutoregressiveModel", "HelmholtzMachine", "Model", "delta_rule", "impute"]
