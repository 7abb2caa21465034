"""Deep latent Gaussian models."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.distributions import Chain
from pyvae.models.deep_latent.inference import COMBINATIONS
from pyvae.models.deep_latent.layer import GaussianLayer
from pyvae.models.fit import check_spaces
from pyvae.models.parts import Options, PartModel
from pyvae.networks import mlp_layers
from pyvae.priors import Prior
from pyvae.registry import models

__all__ = ["DeepLatentGaussian"]

INFERENCES = ("bottom_up", *COMBINATIONS)


@models.register("deep_latent")
class DeepLatentGaussian(PartModel):
    r"""L layers of Gaussian latents, of which the first explains the data.

    .. math::
        p(x, h) = p(h_L) \prod_{l=1}^{L-1} p(h_l | h_{l+1})\; p(x | h_1), \qquad
        h_l = T_l(h_{l+1}) + G_l \xi_l, \quad \xi_l \sim \mathcal N(0, I)

    Rezende, Mohamed & Wierstra 2014, eq. 1 to 4. The latents z are those of all layers, h_1 first,
    and p(z) and q(z|x) are chains of layers (:class:`pyvae.distributions.Chain`), so that
    objectives and commands take the model as any other. Inference is one of

    - "bottom_up": q(h_1|x) q(h_2|h_1) ..., each layer from a sample of the one below (Burda, Grosse
      & Salakhutdinov 2016, section 5)
    - "top_down": networks alone go up from x; each layer is then drawn given the one above, with
      what the data say and what p(h_l|h_(l+1)) expects weighted by their precision (the ladder of
      Sønderby et al. 2016)
    - "noise": q(xi_l|x) for each layer by itself, in the coordinates of its noise (Rezende et al.
      2014, section 4)

    Args:
        data_shape: the shape of one datum
        latent_dims: the number of latents of h_1, h_2, ..., any number of layers
        hidden: the width of each hidden layer between two layers of latents, both ways
        activation: the name of the function after each
        inference: one of these
        variance: of p(h_l | h_(l+1)): "network" for each h_(l+1), or "constant"
        encoder: network from x to the features of h_1
        decoder: network from h_1 to the likelihood's parameters
        prior: p(h_L)
        posterior: layer from features to q, by name, for each layer of latents; "top_down" and
            "noise" take Gaussians, diagonal or rank-1
        likelihood: layer from the decoder's output to p(x|h_1)
        encoder_args, ...: options of the part that was named

    Raises:
        UnknownPartError: no part has this name.
        TypeError: a part has no such option, or is one that does not go with layers.
        ValueError: sizes that are not positive, no layer, an unknown inference or variance, or
            parts that do not fit together.

    >>> model = DeepLatentGaussian((1, 8, 8), latent_dims=(5, 3), hidden=(16,))
    >>> q = model.encode(torch.zeros(4, 1, 8, 8))
    >>> z = q.rsample((7,))
    >>> z.shape, q.log_prob(z).shape, model.prior().log_prob(z).shape
    (torch.Size([7, 4, 8]), torch.Size([7, 4]), torch.Size([7, 4]))
    >>> model.decode(z).mean.shape
    torch.Size([7, 4, 1, 8, 8])
    """

    def __init__(
        self,
        data_shape: Sequence[int] = (1, 28, 28),
        latent_dims: Sequence[int] = (100, 50),
        hidden: Sequence[int] = (100, 100),
        activation: str = "tanh",
        inference: Literal["bottom_up", "top_down", "noise"] = "bottom_up",
        variance: Literal["network", "constant"] = "network",
        encoder: str | nn.Module = "mlp",
        decoder: str | nn.Module = "mlp",
        prior: str | nn.Module = "standard_normal",
        posterior: str = "diagonal_gaussian",
        likelihood: str | nn.Module = "bernoulli",
        encoder_args: Options | None = None,
        decoder_args: Options | None = None,
        prior_args: Options | None = None,
        posterior_args: Options | None = None,
        likelihood_args: Options | None = None,
    ) -> None:
        super().__init__()
        self.latent_dims = tuple(int(n) for n in latent_dims)
        if not self.latent_dims or min(self.latent_dims) < 1:
            raise ValueError(
                f"DeepLatentGaussian: latent_dims must hold one or more positive sizes, "
                f"got {self.latent_dims}"
            )
        if inference not in INFERENCES:
            raise ValueError(
                f"deep_latent: inference must be one of {', '.join(INFERENCES)}, got {inference!r}"
            )
        if not isinstance(posterior, str):
            raise TypeError(
                f"deep_latent: the posterior is made anew for each layer, by its name, got "
                f"{posterior!r}"
            )
        self.latent_dim = sum(self.latent_dims)
        self.inference = inference
        self._start(data_shape, 0)
        del self._config["condition_dim"]  # it takes none
        self._config |= {
            "latent_dims": self.latent_dims,
            "hidden": tuple(int(n) for n in hidden),
            "activation": activation,
            "inference": inference,
            "variance": variance,
        }
        data = {"data_shape": self.data_shape}
        self.likelihood = self._make("likelihood", likelihood, likelihood_args, data)
        seen = {"data_shape": tuple(self.likelihood.input_shape)}
        self.encoder = self._make("encoder", encoder, encoder_args, seen)
        self.up, widths = self._networks_up(hidden, activation)
        self.posteriors = nn.ModuleList(
            self._make("posterior", posterior, posterior_args, {"in_features": w, "latent_dim": n})
            for w, n in zip(widths, self.latent_dims, strict=True)
        )
        self.down = nn.ModuleList(
            GaussianLayer(above, below, hidden, activation, variance)
            for below, above in pairwise(self.latent_dims)
        )
        top = {"latent_dim": self.latent_dims[-1]}
        self.top = self._make("prior", prior, prior_args, top)
        self.decoder = self._make("decoder", decoder, decoder_args, self._fit_of_decoder(decoder))
        self._check_layers()

    def _networks_up(
        self, hidden: Sequence[int], activation: str
    ) -> tuple[nn.ModuleList, list[int]]:
        """The networks from layer to layer, and how many features each posterior is given."""
        widths = [self.encoder.out_features]
        networks = nn.ModuleList()
        for below in self.latent_dims[:-1]:
            seen = below if self.inference == "bottom_up" else widths[-1]
            sizes = [seen, *hidden]
            networks.append(nn.Sequential(*mlp_layers(sizes, activation)))
            widths.append(sizes[-1])
        return networks, widths

    def _check_layers(self) -> None:
        """Raises: ValueError or TypeError: posterior or prior do not go with Gaussian layers."""
        posterior = self.posteriors[-1]
        check_spaces(posterior, self.top)
        space = getattr(posterior, "space", "real")
        if space != "real":
            raise ValueError(
                f"deep_latent: the layers are Gaussian and take a posterior over reals, such as "
                f"diagonal_gaussian, got the {type(posterior).__name__} with {space} latents"
            )
        if isinstance(self.top, Prior) and type(self.top).bind is not Prior.bind:
            raise TypeError(
                f"deep_latent: the {type(self.top).__name__} is made of a VAE's encoder and "
                f"posterior; the highest layer takes a prior of its own, such as standard_normal"
            )

    @property
    def _decoder_dim(self) -> int:
        return self.latent_dims[0]

    def _seen_by_decoder(self, z: Tensor) -> Tensor:
        return z[..., : self.latent_dims[0]]

    def encode(self, x: Tensor, **side: Tensor) -> Chain:
        """q(z|x) with batch_shape (B,), for data x (B, *data_shape) of any dtype."""
        self._check_data(x)
        features = self.encoder(self.likelihood.as_input(x, self.dtype))
        if self.inference == "bottom_up":
            first, *posteriors = self.posteriors
            networks = zip(self.up, posteriors, strict=True)
            layers = [nn.Sequential(*pair) for pair in networks]
            return Chain(first(features), layers, self.latent_dims)
        found = [self.posteriors[0](features)]
        for network, posterior in zip(self.up, self.posteriors[1:], strict=True):
            features = network(features)
            found.append(posterior(features))
        combined = [
            partial(_combined, self.inference, q, p)
            for q, p in zip(found[:-1], self.down, strict=True)
        ]
        return Chain(found[-1], combined[::-1], self.latent_dims[::-1], reverse=True)

    def prior(self) -> Chain:
        """p(h_1, ..., h_L), drawn from the top down."""
        return Chain(self.top(), [*self.down][::-1], self.latent_dims[::-1], reverse=True)

    def recognition_parameters(self) -> list[nn.Parameter]:
        """The parameters of encoder, networks up and posteriors."""
        parts = (self.encoder, self.up, self.posteriors)
        return [p for part in parts for p in part.parameters()]

    @torch.no_grad()
    def init_prior(self, x: Tensor) -> None:
        """Let the prior of the highest layer start from training data, if it knows how to."""
        if isinstance(self.top, Prior):
            self.top.init_from_data(self.likelihood.as_input(x, self.dtype))


def _combined(inference: str, q: Distribution, down: nn.Module, above: Tensor) -> Distribution:
    """q(h_l | h_(l+1), x) of what the data say and the layer above expects."""
    return COMBINATIONS[inference](q, down(above))
