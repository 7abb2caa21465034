"""Models with several layers of Gaussian latents."""

from pyvae.models.deep_latent.model import DeepLatentGaussian

__all__ = ["DeepLatentGaussian"]
