"""A semi-supervised model of the codes of a VAE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.distributions import Chain
from pyvae.models.base import Model, mean_or_sample
from pyvae.models.m2 import M2
from pyvae.models.parts import Options
from pyvae.models.vae import VAE
from pyvae.registry import models

__all__ = ["M1M2"]


@models.register("m1m2")
class M1M2(Model):
    r"""p(y) p(z_2) p(z_1|z_2, y) p(x|z_1): a VAE, M1, and :class:`M2` over its codes.

    Kingma, Mohamed, Rezende & Welling 2014, section 3.3. The latents are z_1, the code of the class
    y, and z_2. The objective ``semi_supervised`` trains both at each step: M1 by its bound, and M2
    on samples of q(z_1|x), which do not move M1; the paper trains M1 to the end first.

    Args:
        data_shape: the shape of one datum
        classes: K
        latent_dim: the number of elements of z_1 and of z_2 each
        encoder, decoder, posterior, likelihood: the parts of M1
        encoder_args, ...: options of the part that was named
        hidden, activation: the fully connected networks of M2, one wide layer after another

    Raises:
        UnknownPartError, TypeError, ValueError: as :class:`M2`.

    >>> model = M1M2((1, 8, 8), classes=3, latent_dim=2)
    >>> z = model.encode(torch.zeros(5, 1, 8, 8)).sample()
    >>> z.shape, model.decode(z).mean.shape
    (torch.Size([5, 7]), torch.Size([5, 1, 8, 8]))
    """

    def __init__(
        self,
        data_shape: Sequence[int] = (1, 28, 28),
        classes: int = 10,
        latent_dim: int = 50,
        encoder: str = "mlp",
        decoder: str = "mlp",
        posterior: str = "diagonal_gaussian",
        likelihood: str = "bernoulli",
        encoder_args: Options | None = None,
        decoder_args: Options | None = None,
        posterior_args: Options | None = None,
        likelihood_args: Options | None = None,
        hidden: Sequence[int] = (500,),
        activation: str = "softplus",
    ) -> None:
        super().__init__()
        self.m1 = VAE(
            data_shape,
            latent_dim,
            encoder,
            decoder,
            "standard_normal",
            posterior,
            likelihood,
            encoder_args=encoder_args,
            decoder_args=decoder_args,
            posterior_args=posterior_args,
            likelihood_args=likelihood_args,
        )
        network = {"hidden": list(hidden), "activation": activation}
        self.m2 = M2(
            (latent_dim,),
            classes,
            latent_dim,
            likelihood="gaussian",
            classifier_args=network,
            encoder_args=network,
            decoder_args=network,
            likelihood_args={"variance": "per_pixel"},
        )
        self.data_shape, self.classes = self.m1.data_shape, classes
        self._sizes = (latent_dim, self.m2.latent_dim)
        self.latent_dim = sum(self._sizes)
        self._config = {"classes": classes, **network}

    @property
    def likelihood(self) -> Any:  # type: ignore[override]
        """That of M1."""
        return self.m1.likelihood

    def encode(self, x: Tensor, **side: Tensor) -> Chain:
        """q(z_1|x) q(y|z_1) q(z_2|z_1, y) with batch_shape (B,)."""
        return Chain(self.m1.encode(x), [self.m2.encode], self._sizes)

    def prior(self) -> Chain:
        """p(y) p(z_2) p(z_1|z_2, y)."""
        return Chain(self.m2.prior(), [self.m2.decode], self._sizes[::-1], reverse=True)

    def decode(self, z: Tensor, **side: Tensor) -> Distribution:
        """p(x|z_1) with batch_shape (*batch,), for all latents (*batch, latent_dim)."""
        if z.ndim == 0 or z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"M1M2.decode: z must have shape (*batch, {self.latent_dim}), z_1 before the code "
                f"of one of {self.classes} classes and z_2, got {tuple(z.shape)}"
            )
        return self.m1.decode(z[..., : self._sizes[0]], **side)

    def class_logits(self, x: Tensor) -> Tensor:
        """The logits of q(y|z_1) (B, K) at the mean of q(z_1|x)."""
        return self.m2.class_logits(mean_or_sample(self.m1.encode(x)))

    @torch.no_grad()
    def of_class(self, n: int, y: int, **side: Tensor) -> Tensor:
        """New data (n, *data_shape) of class y: means of p(x|z_1) at the means of p(z_1|z_2, y)."""
        return mean_or_sample(self.m1.decode(self.m2.of_class(n, y), **side))

    def recognition_parameters(self) -> list[nn.Parameter]:
        """Those of both models."""
        return [*self.m1.recognition_parameters(), *self.m2.recognition_parameters()]

    def init_output(self, data_mean: Tensor) -> None:
        self.m1.init_output(data_mean)

    @property
    def config(self) -> dict[str, Any]:
        set_here = ("prior", "prior_args", "condition_dim", "masked")
        of_m1 = {name: value for name, value in self.m1.config.items() if name not in set_here}
        return {**of_m1, **self._config}
