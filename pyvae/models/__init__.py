"""Models made of parts."""

from pyvae.models.base import Model
from pyvae.models.vae import VAE

__all__ = ["VAE", "Model"]
