"""Whether the parts of a model fit together."""

from __future__ import annotations

from pyvae import registry
from pyvae.posteriors import Posterior
from pyvae.priors import Prior

__all__ = ["check_spaces"]


def check_spaces(posterior: object, prior: object) -> None:
    """Prior and posterior must be distributions over one space: reals, bits or one-hot codes.

    Modules and functions that are not of the library's own classes count as over reals.

    Raises:
        ValueError: they are not; the message says which of the registered parts fit.
    """
    space, spaces = _space(posterior), _spaces(prior)
    if space in spaces:
        return
    known = registry.priors, registry.posteriors
    fitting = [name for name in known[0].names() if space in _spaces(known[0].get(name))]
    others = [name for name in known[1].names() if _space(known[1].get(name)) in spaces]
    raise ValueError(
        f"VAE: the {type(posterior).__name__} has {space} latents, the {type(prior).__name__} "
        f"takes {' or '.join(spaces)} ones. Priors that fit the posterior: {', '.join(fitting)}; "
        f"posteriors that fit the prior: {', '.join(others)}"
    )


def _space(posterior: object) -> str:
    kind = posterior if isinstance(posterior, type) else type(posterior)
    return kind.space if issubclass(kind, Posterior) else Posterior.space


def _spaces(prior: object) -> tuple[str, ...]:
    kind = prior if isinstance(prior, type) else type(prior)
    return kind.spaces if issubclass(kind, Prior) else Prior.spaces
