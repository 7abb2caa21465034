"""Whether the parts of a model fit together."""

from __future__ import annotations

from typing import Any

from pyvae import registry

__all__ = ["check_spaces"]


def check_spaces(posterior: Any, prior: Any) -> None:
    """Prior and posterior must be distributions over one space: reals, bits or one-hot codes.

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


def _space(posterior: Any) -> str:
    return str(getattr(posterior, "space", "real"))


def _spaces(prior: Any) -> tuple[str, ...]:
    return tuple(getattr(prior, "spaces", ("real",)))
