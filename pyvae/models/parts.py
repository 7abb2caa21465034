"""Models that are put together from registered parts."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae import registry
from pyvae.decoders import AutoregressiveDecoder, Decoder
from pyvae.distributions import observed
from pyvae.encoders import Encoder
from pyvae.likelihoods import Likelihood
from pyvae.models.base import Model
from pyvae.models.explain import explain
from pyvae.models.given import Given
from pyvae.networks import beside
from pyvae.posteriors import Posterior
from pyvae.priors import Prior

__all__ = ["Options", "PartModel"]

Options = Mapping[str, Any]
KINDS = ("encoder", "decoder", "prior", "posterior", "likelihood")
_BASES = (Encoder, Decoder, Prior, Posterior, Likelihood)


class PartModel(Given, Model, ABC):
    """A model that makes its parts by name, and says in its config how it was made."""

    decoder: Any

    def _start(self, data_shape: Sequence[int], condition_dim: int, **sizes: int) -> None:
        """Set the shape of the data and what comes with them, and begin the config.

        Raises:
            ValueError: a size is not positive, or the condition's is negative.
        """
        self.data_shape = tuple(int(n) for n in data_shape)
        self.condition_dim = condition_dim
        self._config = {"data_shape": self.data_shape, **sizes}
        if condition_dim < 0:
            raise ValueError(
                f"{type(self).__name__}: condition_dim must not be negative, got {condition_dim}"
            )
        if not self.data_shape or min(*self.data_shape, *sizes.values(), 1) < 1:
            also = "".join(f" and {name} must be positive" for name in sizes)
            got = " and ".join(map(str, self._config.values()))
            raise ValueError(
                f"{type(self).__name__}: data_shape must hold one or more positive sizes{also}, "
                f"got {got}"
            )
        self._config["condition_dim"] = condition_dim

    @property
    def side_inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.given_inputs, *super().side_inputs)))

    def _make(self, kind: str, part: str | nn.Module, options: Options | None, fit: Options) -> Any:
        """The part, by its name or as it is, given the arguments ``fit`` that join it to others."""
        me, options = type(self).__name__, dict(options or {})
        self._config[kind] = part if isinstance(part, str) else None
        self._config[f"{kind}_args"] = options
        if isinstance(part, str):
            taken = sorted(options.keys() & fit.keys())
            if taken:
                raise TypeError(
                    f"{me}: {', '.join(taken)} of the {kind} is set by the model itself"
                )
            part = registry.registries[f"{kind}s"].create(part, **fit, **options)
        elif options:
            raise TypeError(f"{me}: {kind}_args belong to a part given by name, not to an instance")
        if not isinstance(part, nn.Module):
            raise TypeError(f"{me}: {kind} must be a registered name or a module, got {part!r}")
        if kind == "likelihood" and not isinstance(part, Likelihood):
            raise TypeError(
                f"{me}: likelihood must be a registered name or a "
                f"pyvae.likelihoods.Likelihood, got a {type(part).__name__}"
            )
        if isinstance(part, _BASES):  # a bare module does not say what it fits
            for name, value in fit.items():
                if not isinstance(value, Tensor) and vars(part)[name] != value:
                    raise ValueError(
                        f"{me}: the {kind} {type(part).__name__} does not fit: expected "
                        f"{name} {value}, got {vars(part)[name]}"
                    )
        return part

    @property
    def _decoder_dim(self) -> int:
        """How many of the latents the decoder sees: all, unless the model says otherwise."""
        return self.latent_dim

    def _seen_by_decoder(self, z: Tensor) -> Tensor:
        """Those of latents (*batch, latent_dim) that the decoder sees (*batch, _decoder_dim)."""
        return z

    def _fit_of_decoder(self, decoder: str | nn.Module) -> dict[str, Any]:
        """What joins a decoder to the latents and the likelihood, which is there already."""
        given = self._decoder_dim + self._condition_width
        fit = {"latent_dim": given, "out_shape": tuple(self.likelihood.param_shape)}
        kind = registry.decoders.get(decoder) if isinstance(decoder, str) else type(decoder)
        if isinstance(kind, type) and issubclass(kind, AutoregressiveDecoder):
            if self.masked:
                raise ValueError(
                    f"{type(self).__name__}: the decoder {kind.__name__} explains each element "
                    f"from those before it, which may be missing in masked data; use one that "
                    f"explains all at once, such as mlp or conv"
                )
            if not self.likelihood.separable:
                raise ValueError(
                    f"{type(self).__name__}: the decoder {kind.__name__} explains each element "
                    f"from those before it, but the {type(self.likelihood).__name__} shares a "
                    f"total out among all of them; poisson is a likelihood of counts that fits"
                )
            if self.likelihood.input_shape != self.data_shape and not kind.takes_codes:
                raise ValueError(
                    f"{type(self).__name__}: the decoder {kind.__name__} explains each element "
                    f"from those before it, which the {type(self.likelihood).__name__} shows as "
                    f"{self.likelihood.input_shape[0]} numbers; use one that explains all at "
                    f"once, such as mlp"
                )
            return {**fit, "data_shape": self.data_shape, "positions": self.likelihood.positions}
        return fit

    def _check_data(self, x: Tensor) -> None:
        """Raises: ValueError: x has not the shape (B, *data_shape)."""
        if x.ndim == 0 or tuple(x.shape[1:]) != self.data_shape:
            raise ValueError(
                f"{type(self).__name__}.encode: x must have shape "
                f"(B, {', '.join(map(str, self.data_shape))}), got {tuple(x.shape)}"
            )

    def decode(self, z: Tensor, **side: Tensor) -> Distribution:
        """p(x|z) with batch_shape (*batch,) and event_shape data_shape.

        Args:
            z: latents (*batch, latent_dim), with any leading dimensions
            side: what ``side_inputs`` names: the condition (B, condition_dim), the mask (B,
                *data_shape), without which all elements count, and what the likelihood asks for;
                anything else is not used
        """
        me = f"{type(self).__name__}.decode"
        if z.ndim == 0 or z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"{me}: z must have shape (*batch, {self.latent_dim}), got {tuple(z.shape)}"
            )
        wanted = self.likelihood.side_inputs
        missing = [name for name in wanted if name not in side]
        if missing:
            raise ValueError(
                f"{me}: the likelihood {type(self.likelihood).__name__} needs "
                f"{', '.join(missing)}, got {', '.join(side) or 'no side inputs'}"
            )
        z = self._seen_by_decoder(z)
        if self.condition_dim:
            z = beside(z, self._condition("decode", side))
        p = explain(self.decoder, self.likelihood, z, {name: side[name] for name in wanted})
        if self.masked and "mask" in side:
            p = observed(p, side["mask"])
        return p

    def init_output(self, data_mean: Tensor) -> None:
        """Start the decoder at the mean of the data (*data_shape), where its parts know how to."""
        params = self.likelihood.init_from_mean(data_mean.to(self.dtype))
        if params is not None:
            self.decoder.init_output(params)

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of this model, fit for JSON.

        Raises:
            TypeError: a part was given as an instance, or an option that JSON cannot hold.
        """
        me = type(self).__name__
        for kind in (kind for kind in KINDS if kind in self._config):
            if self._config[kind] is None:
                raise TypeError(
                    f"{me}: the {kind} was given as an instance of "
                    f"{type(getattr(self, kind)).__name__}, which a config cannot hold; register "
                    f"its class (pyvae.registry.{kind}s.register) and give its name"
                )
        try:
            config: dict[str, Any] = json.loads(json.dumps(self._config))
        except TypeError as error:
            raise TypeError(f"{me}: an option is not fit for JSON: {error}") from error
        return config
