"""The variational autoencoder: an encoder, a posterior, a prior, a decoder and a likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae import registry
from pyvae.likelihoods import Likelihood
from pyvae.models.fit import check_spaces
from pyvae.models.parts import Options, PartModel
from pyvae.models.side import EmbeddedPrior, seen_shape, takes_condition, with_channels
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
        condition_dim: the length C of a condition c, which q(z|x, c) and p(x|z, c) are given, and
            the prior ``conditional_gaussian`` (Sohn, Lee & Yan 2015); 0: none
        condition_embeddings: for each place of the condition that holds the number of a category,
            (place, how many numbers, width): all parts are given a vector of this width, which is
            learned, in its place. See ``embeddings`` of :class:`pyvae.data.Conditions`
        masked: whether elements of the data may be missing: p(x|z) then explains those that the
            side input ``mask`` says are observed, and q(z|x) sees zeros for the others and the
            mask (Mattei & Frellsen 2019)
        latent_shape: (channels, *grid) of spatial latents, such as (4, 32, 32), for the encoder and
            decoder ``resnet``; latent_dim is their number then, and z holds them flattened

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
        condition_dim: int = 0,
        masked: bool = False,
        latent_shape: Sequence[int] | None = None,
        condition_embeddings: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        on_grid: dict[str, Any] = {}
        if latent_shape is not None:
            on_grid = {"latent_shape": tuple(latent_shape)}
            latent_dim = math.prod(latent_shape)
        self.latent_dim = latent_dim
        self._start(data_shape, condition_dim, latent_dim=latent_dim)
        self._embed(condition_embeddings)
        self.masked = self._config["masked"] = masked
        self._config |= on_grid
        make = self._make
        data = {"data_shape": self.data_shape}
        latent = {"latent_dim": latent_dim}
        explained = make("likelihood", likelihood, likelihood_args, data)
        seen = {**self._seen(encoder, explained), **on_grid}
        self.encoder = make("encoder", encoder, encoder_args, seen)
        features = {"in_features": self.encoder.out_features}
        self.posterior = make(
            "posterior", posterior, posterior_args, {**features, **latent, **on_grid}
        )
        self.prior = make("prior", prior, prior_args, {**latent, **self._given(prior)})
        self.likelihood = explained
        fit = {**self._fit_of_decoder(decoder), **on_grid}
        self.decoder = make("decoder", decoder, decoder_args, fit)
        check_spaces(self.posterior, self.prior)
        self.encoder_inputs = self.given_inputs
        if isinstance(self.prior, Prior):
            self.prior_inputs = self.prior.side_inputs
            self.prior.bind(self)
            if self.prior_inputs and self.condition_embeddings:
                self.prior = EmbeddedPrior(self.prior, self.condition_embedding)

    def _seen(self, encoder: str | nn.Module, likelihood: Likelihood) -> dict[str, Any]:
        """What joins an encoder to the data as it sees them."""
        mask = self.data_shape[0] if self.masked else 0
        kind = registry.encoders.get(encoder) if isinstance(encoder, str) else encoder
        if takes_condition(kind):
            shape = seen_shape(likelihood.input_shape, mask)
            own = {"condition_dim": self._condition_width} if self.condition_dim else {}
            return {"data_shape": shape, **own}
        return {"data_shape": seen_shape(likelihood.input_shape, mask, self._condition_width)}

    def _given(self, prior: str | nn.Module) -> dict[str, Any]:
        """What joins a prior to a condition, if it takes one.

        Raises:
            ValueError: it takes one, and there is none.
        """
        kind = registry.priors.get(prior) if isinstance(prior, str) else type(prior)
        if not (isinstance(kind, type) and issubclass(kind, Prior) and kind.side_inputs):
            return {}
        if not self.condition_dim:
            raise ValueError(
                f"VAE: the prior {kind.__name__} is p(z|c), and there is no condition: give "
                f"condition_dim (pyvae train: --condition)"
            )
        return {"condition_dim": self._condition_width}

    def encode(self, x: Tensor, **side: Tensor) -> Distribution:
        """q(z|x) with batch_shape (B,) and event_shape (latent_dim,).

        Args:
            x: data (B, *data_shape), of any dtype; what stands where it is masked does not matter
            side: the condition (B, condition_dim) of a conditional model, and the mask (B,
                *data_shape) of a masked one, without which all is observed
        """
        q: Distribution = self.posterior(self.features(x, **side))
        return q

    def features(self, x: Tensor, **side: Tensor) -> Tensor:
        """What the encoder gives the posterior, (B, out_features); arguments as in ``encode``."""
        self._check_data(x)
        more: list[Tensor] = []
        named: dict[str, Tensor] = {}
        if self.masked:
            mask = side.get("mask", torch.ones((), dtype=torch.bool, device=x.device)).expand_as(x)
            seen = self.likelihood.as_masked_input(x, mask, self.dtype)
            more.append(mask)
        else:
            seen = self.likelihood.as_input(x, self.dtype)
        if self.condition_dim:
            condition = self._condition("encode", side)
            if takes_condition(self.encoder):
                named["condition"] = condition
            else:
                more.append(condition)
        features: Tensor = self.encoder(with_channels(seen, *more), **named)
        return features

    def recognition_parameters(self) -> list[nn.Parameter]:
        """The parameters of encoder and posterior."""
        return [*self.encoder.parameters(), *self.posterior.parameters()]

    @torch.no_grad()
    def init_prior(self, x: Tensor) -> None:
        """Let the prior start from training data x (N, *data_shape), if it knows how to."""
        if isinstance(self.prior, Prior):
            self.prior.init_from_data(self.likelihood.as_input(x, self.dtype))
