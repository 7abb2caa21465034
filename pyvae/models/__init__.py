"""Models made of parts."""

from pyvae.models.autoregressive import AutoregressiveModel
from pyvae.models.base import Model
from pyvae.models.deep_latent import DeepLatentGaussian
from pyvae.models.helmholtz import HelmholtzMachine, delta_rule
from pyvae.models.impute import impute
from pyvae.models.m1m2 import M1M2
from pyvae.models.m2 import M2
from pyvae.models.rbm import RBM
from pyvae.models.vae import VAE

__all__ = [
    "M1M2",
    "M2",
    "RBM",
    "VAE",
    "AutoregressiveModel",
    "DeepLatentGaussian",
    "HelmholtzMachine",
    "Model",
    "delta_rule",
    "impute",
]
