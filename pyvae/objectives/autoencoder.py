"""The plain autoencoder."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.registry import objectives

__all__ = ["Autoencoder"]


@objectives.register("autoencoder")
class Autoencoder(Objective):
    r"""The reconstruction error of a deterministic code, the mean of q(z|x).

    .. math:: \text{loss} = -\frac1B \sum_x \log p(x | z = \mathbb E_{q(z|x)}[z])

    Hinton & Salakhutdinov 2006: the cross-entropy with the likelihood bernoulli, half the squared
    error and a constant with gaussian. The spread of q(z|x) and the prior are not used and not
    trained, so that bounds and samples of such a model mean nothing. The only term is
    ``log_likelihood``, in nats per datum.

    Raises:
        TypeError: a posterior whose mean is not known, or not differentiable.

    >>> import torch
    >>> from pyvae import VAE
    >>> sorted(Autoencoder()(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8)).terms)
    ['log_likelihood']
    """

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        z = self._code(model.infer(batch)[0])
        log_likelihood = model.decode(z, **batch.extras).log_prob(batch.target).mean()
        return Result(-log_likelihood, {"log_likelihood": log_likelihood.detach()})

    @staticmethod
    def _code(q: Distribution) -> Tensor:
        try:
            return q.mean
        except NotImplementedError as error:
            raise TypeError(
                "autoencoder needs a posterior with a mean, such as diagonal_gaussian, "
                f"got {type(q).__name__}"
            ) from error
