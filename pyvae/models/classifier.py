"""q(y|x): an encoder with a linear layer of logits on top."""

from __future__ import annotations

from torch import Tensor, nn

from pyvae import registry
from pyvae.encoders import Encoder
from pyvae.likelihoods import Likelihood
from pyvae.models.parts import Options

__all__ = ["Classifier"]


class Classifier(nn.Module):
    """The logits of q(y|x).

    Args:
        likelihood: which says how data look as input
        classes: K
        encoder: the name of the network below the last, linear layer
        options: of the encoder

    >>> import torch
    >>> from pyvae.likelihoods import BernoulliLikelihood
    >>> Classifier(BernoulliLikelihood((1, 8, 8)), 3)(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        likelihood: Likelihood,
        classes: int,
        encoder: str = "mlp",
        options: Options | None = None,
    ) -> None:
        super().__init__()
        shape = likelihood.input_shape
        self._likelihood = (likelihood,)  # in a tuple, so that it is not a part of this module
        self.encoder: Encoder = registry.encoders.create(
            encoder, data_shape=shape, **dict(options or {})
        )
        self.output = nn.Linear(self.encoder.out_features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """The logits (*batch, K) of x (*batch, *data_shape)."""
        likelihood = self._likelihood[0]
        batch = x.shape[: x.ndim - len(likelihood.data_shape)]
        rows = x.reshape(-1, *likelihood.data_shape)
        seen = likelihood.as_input(rows, self.output.weight.dtype)
        logits: Tensor = self.output(self.encoder(seen)).unflatten(0, batch)
        return logits
