"""A density model: each element of a datum explained by those before it, without latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.decoders import AutoregressiveDecoder
from pyvae.distributions import DiagonalGaussian, StandardNormal
from pyvae.models.parts import Options, PartModel
from pyvae.registry import models

__all__ = ["AutoregressiveModel"]


@models.register("autoregressive")
class AutoregressiveModel(PartModel):
    r"""p(x) = prod_i p(x_i | x_1, ..., x_{i-1}) by a network that sees what comes before.

    It is a model with no latents: its prior and posterior are distributions over vectors of length
    0, whose divergence is 0, so that the ELBO is log p(x) itself, and every objective and command
    that takes a model takes this one.

    Args:
        data_shape: the shape of one datum
        decoder: one that is autoregressive, by name or as it is
        likelihood: layer from its output to the distribution of each element
        decoder_args, likelihood_args: options of the part that was named
        condition_dim: the length of a condition c of p(x|c); 0: none
        condition_embeddings: places of it that are embedded, as in :class:`pyvae.VAE`

    Raises:
        TypeError: the decoder explains all elements at once.

    >>> model = AutoregressiveModel((3,), decoder="made", decoder_args={"hidden": [8]})
    >>> x = torch.tensor([[0.0, 1.0, 1.0]])
    >>> model.log_prob(x).shape, model.sample(2).shape
    (torch.Size([1]), torch.Size([2, 3]))
    """

    latent_dim = 0

    def __init__(
        self,
        data_shape: Sequence[int] = (1, 28, 28),
        decoder: str | nn.Module = "gated_pixelcnn",
        likelihood: str | nn.Module = "bernoulli",
        decoder_args: Options | None = None,
        likelihood_args: Options | None = None,
        condition_dim: int = 0,
        condition_embeddings: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        self._start(data_shape, condition_dim)
        self._embed(condition_embeddings)
        data = {"data_shape": self.data_shape}
        self.likelihood = self._make("likelihood", likelihood, likelihood_args, data)
        self.decoder = self._make("decoder", decoder, decoder_args, self._fit_of_decoder(decoder))
        if not isinstance(self.decoder, AutoregressiveDecoder):
            raise TypeError(
                f"AutoregressiveModel: the decoder must be autoregressive (made, pixelcnn, "
                f"gated_pixelcnn, pixelcnn_pp, pixelrnn), got a {type(self.decoder).__name__}"
            )

    def _nothing(self, *batch: int) -> Tensor:
        first = next(self.parameters())
        return torch.zeros(*batch, 0, dtype=self.dtype, device=first.device)

    def encode(self, x: Tensor, **side: Tensor) -> DiagonalGaussian:
        """A distribution over vectors of length 0, with batch_shape (B,)."""
        self._check_data(x)
        none = self._nothing(len(x))
        return DiagonalGaussian(none, none, event_ndim=1, validate_args=False)

    def prior(self) -> StandardNormal:
        """The one distribution over vectors of length 0."""
        none = self._nothing()
        return StandardNormal((0,), dtype=none.dtype, device=none.device, validate_args=False)

    def log_prob(self, x: Tensor, **side: Tensor) -> Tensor:
        """log p(x) in nats (B,), exactly, for x (B, *data_shape)."""
        log_prob: Tensor = self.decode(self._nothing(len(x)), **side).log_prob(x)
        return log_prob

    def recognition_parameters(self) -> list[nn.Parameter]:
        """None: there is nothing to recognise."""
        return []
