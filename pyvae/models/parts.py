"""Models that are put together from registered parts."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pyvae import registry
from pyvae.decoders import AutoregressiveDecoder, Decoder
from pyvae.encoders import Encoder
from pyvae.likelihoods import Likelihood
from pyvae.models.base import Model
from pyvae.posteriors import Posterior
from pyvae.priors import Prior

__all__ = ["Options", "PartModel"]

Options = Mapping[str, Any]
KINDS = ("encoder", "decoder", "prior", "posterior", "likelihood")
_BASES = (Encoder, Decoder, Prior, Posterior, Likelihood)


class PartModel(Model, ABC):
    """A model that makes its parts by name, and says in its config how it was made."""

    _config: dict[str, Any]

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

    def _fit_of_decoder(self, decoder: str | nn.Module) -> dict[str, Any]:
        """What joins a decoder to the latents and the likelihood, which is there already."""
        fit = {"latent_dim": self.latent_dim, "out_shape": tuple(self.likelihood.param_shape)}
        kind = registry.decoders.get(decoder) if isinstance(decoder, str) else type(decoder)
        if isinstance(kind, type) and issubclass(kind, AutoregressiveDecoder):
            return {**fit, "data_shape": self.data_shape, "positions": self.likelihood.positions}
        return fit

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
