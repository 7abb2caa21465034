"""The variational autoencoder: an encoder, a posterior, a prior, a decoder and a likelihood."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae import registry
from pyvae.decoders import Decoder
from pyvae.encoders import Encoder
from pyvae.likelihoods import Likelihood
from pyvae.models.base import Model
from pyvae.models.fit import check_spaces
from pyvae.posteriors import Posterior
from pyvae.priors import Prior

__all__ = ["VAE"]

Options = Mapping[str, Any]
_BASES = (Encoder, Decoder, Prior, Posterior, Likelihood)


@registry.models.register("vae")
class VAE(Model):
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
        self.data_shape = tuple(int(n) for n in data_shape)
        self.latent_dim = latent_dim
        if not self.data_shape or min(self.data_shape) < 1 or latent_dim < 1:
            raise ValueError(
                f"VAE: data_shape must hold one or more positive sizes and latent_dim must be "
                f"positive, got {self.data_shape} and {latent_dim}"
            )
        self._config: dict[str, Any] = {"data_shape": self.data_shape, "latent_dim": latent_dim}
        make = self._make
        data = {"data_shape": self.data_shape}
        latent = {"latent_dim": latent_dim}
        self.encoder = make("encoder", encoder, encoder_args, data)
        features = {"in_features": self.encoder.out_features}
        self.posterior = make("posterior", posterior, posterior_args, {**features, **latent})
        self.prior = make("prior", prior, prior_args, latent)
        self.likelihood = make("likelihood", likelihood, likelihood_args, data)
        params = {"out_shape": tuple(self.likelihood.param_shape)}
        self.decoder = make("decoder", decoder, decoder_args, {**latent, **params})
        check_spaces(self.posterior, self.prior)
        if isinstance(self.prior, Prior):
            self.prior.bind(self)

    def _make(self, kind: str, part: str | nn.Module, options: Options | None, fit: Options) -> Any:
        """The part, by its name or as it is, given the arguments ``fit`` that join it to others."""
        options = dict(options or {})
        self._config[kind] = part if isinstance(part, str) else None
        self._config[f"{kind}_args"] = options
        if isinstance(part, str):
            taken = sorted(options.keys() & fit.keys())
            if taken:
                raise TypeError(f"VAE: {', '.join(taken)} of the {kind} is set by the model itself")
            part = registry.registries[f"{kind}s"].create(part, **fit, **options)
        elif options:
            raise TypeError(f"VAE: {kind}_args belong to a part given by name, not to an instance")
        if not isinstance(part, nn.Module):
            raise TypeError(f"VAE: {kind} must be a registered name or a module, got {part!r}")
        if kind == "likelihood" and not isinstance(part, Likelihood):
            raise TypeError(
                f"VAE: likelihood must be a registered name or a pyvae.likelihoods.Likelihood, "
                f"got a {type(part).__name__}"
            )
        if isinstance(part, _BASES):  # a bare module does not say what it fits
            for name, value in fit.items():
                if vars(part)[name] != value:
                    raise ValueError(
                        f"VAE: the {kind} {type(part).__name__} does not fit: expected {name} "
                        f"{value}, got {vars(part)[name]}"
                    )
        return part

    def encode(self, x: Tensor) -> Distribution:
        """q(z|x) with batch_shape (B,) and event_shape (latent_dim,).

        Args:
            x: data (B, *data_shape), of any dtype
        """
        if x.ndim == 0 or tuple(x.shape[1:]) != self.data_shape:
            raise ValueError(
                f"VAE.encode: x must have shape (B, {', '.join(map(str, self.data_shape))}), "
                f"got {tuple(x.shape)}"
            )
        q: Distribution = self.posterior(self.encoder(self.likelihood.as_input(x, self.dtype)))
        return q

    def decode(self, z: Tensor, **side: Tensor) -> Distribution:
        """p(x|z) with batch_shape (*batch,) and event_shape data_shape.

        Args:
            z: latents (*batch, latent_dim), with any leading dimensions
            side: what the likelihood asks for in ``side_inputs``; anything else is not used
        """
        if z.ndim == 0 or z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"VAE.decode: z must have shape (*batch, {self.latent_dim}), got {tuple(z.shape)}"
            )
        wanted = self.likelihood.side_inputs
        missing = [name for name in wanted if name not in side]
        if missing:
            raise ValueError(
                f"VAE.decode: the likelihood {type(self.likelihood).__name__} needs "
                f"{', '.join(missing)}, got {', '.join(side) or 'no side inputs'}"
            )
        p: Distribution = self.likelihood(self.decoder(z), **{name: side[name] for name in wanted})
        return p

    def recognition_parameters(self) -> list[nn.Parameter]:
        """The parameters of encoder and posterior."""
        return [*self.encoder.parameters(), *self.posterior.parameters()]

    def init_output(self, data_mean: Tensor) -> None:
        """Start the decoder at the mean of the data (*data_shape), where its parts know how to."""
        params = self.likelihood.init_from_mean(data_mean.to(self.dtype))
        if params is not None:
            self.decoder.init_output(params)

    @torch.no_grad()
    def init_prior(self, x: Tensor) -> None:
        """Let the prior start from training data x (N, *data_shape), if it knows how to."""
        if isinstance(self.prior, Prior):
            self.prior.init_from_data(self.likelihood.as_input(x, self.dtype))

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of this model, fit for JSON.

        Raises:
            TypeError: a part was given as an instance, or an option that JSON cannot hold.
        """
        for kind in ("encoder", "decoder", "prior", "posterior", "likelihood"):
            if self._config[kind] is None:
                raise TypeError(
                    f"VAE: the {kind} was given as an instance of "
                    f"{type(getattr(self, kind)).__name__}, which a config cannot hold; register "
                    f"its class (pyvae.registry.{kind}s.register) and give its name"
                )
        try:
            config: dict[str, Any] = json.loads(json.dumps(self._config))
        except TypeError as error:
            raise TypeError(f"VAE: an option is not fit for JSON: {error}") from error
        return config
