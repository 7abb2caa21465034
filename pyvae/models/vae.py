"""The variational autoencoder: an encoder, a posterior, a prior, a decoder and a likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae import registry
from pyvae.models.fit import check_spaces
from pyvae.models.parts import Options, PartModel
from pyvae.priors import Prior

__all__ = ["VAE"]


@registry.models.register("vae")
class VAE(PartModel):
    """p(z) p(x|z) with q(z|x) from a network (Kingma & Welling 2014; Rezende et al. 2014).

    Each part is the name of a registered one, built with its options, or an instance. Any module
    will do for encoder (with ``out_features``), decoder, prior and posterior; a likelihood is a
    :class:`pyvae.likelihoods.Likelihood`.

    Args:
        data_shape: the shape of one datum; (channels, height, width) for images
        latent_dim: the number of latents
        encoder: network from x to features
        decoder: network from z to the likelihood's parameters
        prior: p(z)
        posterior: layer from features to q(z|x)
        likelihood: layer from the decoder's output to p(x|z)
        encoder_args, ...: options of the part that was named

    Raises:
        UnknownPartError: no part has this name.
        TypeError: a part has no such option, options were given to an instance, or the likelihood
            is not a Likelihood.
        ValueError: shapes that are not positive, or parts that do not fit together.

    >>> import torch
    >>> vae = VAE((1, 28, 28), latent_dim=2, encoder_args={"hidden": [500], "activation": "tanh"})
    >>> x = torch.zeros(3, 1, 28, 28)
    >>> q = vae.encode(x)
    >>> q.batch_shape, q.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> vae.decode(q.rsample((5,))).log_prob(x).shape
    torch.Size([5, 3])
    >>> vae.sample(4).shape
    torch.Size([4, 1, 28, 28])
    """

    def __init__(
        self,
        data_shape: Sequence[int] = (1, 28, 28),
        latent_dim: int = 20,
        encoder: str | nn.Module = "mlp",
        decoder: str | nn.Module = "mlp",
        prior: str | nn.Module = "standard_normal",
        posterior: str | nn.Module = "diagonal_gaussian",
        likelihood: str | nn.Module = "bernoulli",
        encoder_args: Options | None = None,
        decoder_args: Options | None = None,
        prior_args: Options | None = None,
        posterior_args: Options | None = None,
        likelihood_args: Options | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self._start(data_shape, latent_dim=latent_dim)
        make = self._make
        data = {"data_shape": self.data_shape}
        latent = {"latent_dim": latent_dim}
        self.encoder = make("encoder", encoder, encoder_args, data)
        features = {"in_features": self.encoder.out_features}
        self.posterior = make("posterior", posterior, posterior_args, {**features, **latent})
        self.prior = make("prior", prior, prior_args, latent)
        self.likelihood = make("likelihood", likelihood, likelihood_args, data)
        self.decoder = make("decoder", decoder, decoder_args, self._fit_of_decoder(decoder))
        check_spaces(self.posterior, self.prior)
        if isinstance(self.prior, Prior):
            self.prior.bind(self)

    def encode(self, x: Tensor) -> Distribution:
        """q(z|x) with batch_shape (B,) and event_shape (latent_dim,).

        Args:
            x: data (B, *data_shape), of any dtype
        """
        self._check_data(x)
        q: Distribution = self.posterior(self.encoder(self.likelihood.as_input(x, self.dtype)))
        return q

    def recognition_parameters(self) -> list[nn.Parameter]:
        """The parameters of encoder and posterior."""
        return [*self.encoder.parameters(), *self.posterior.parameters()]

    @torch.no_grad()
    def init_prior(self, x: Tensor) -> None:
        """Let the prior start from training data x (N, *data_shape), if it knows how to."""
        if isinstance(self.prior, Prior):
            self.prior.init_from_data(self.likelihood.as_input(x, self.dtype))
