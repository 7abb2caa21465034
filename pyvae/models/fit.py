"""Whether the parts of a model fit together."""

from __future__ import annotations

from pyvae import registry
from pyvae.posteriors import Posterior
from pyvae.priors import Prior

__all__ = ["check_spaces"]


def check_spaces(posterior: object, prior: object) -> None:
    """Prior and posterior must be distributions over one space: reals, bits or one-hot codes.

    Modules and functions that are not of the library's own classes count as over reals. A posterior
    may be made for some priors alone.

    Raises:
        ValueError: they do not fit; the message says which of the registered parts do.
    """
    space, spaces = _space(posterior), _spaces(prior)
    if space in spaces:
        if _made_for(posterior, prior):
            return
        raise ValueError(
            f"VAE: the {type(posterior).__name__} is made for the prior "
            f"{' or '.join(_priors(posterior) or ())}, got the {type(prior).__name__}"
        )
    known = registry.priors, registry.posteriors
    fitting = [n for n in known[0].names() if _fit(posterior, known[0].get(n))]
    others = [n for n in known[1].names() if _fit(known[1].get(n), prior)]
    raise ValueError(
        f"VAE: the {type(posterior).__name__} has {space} latents, the {type(prior).__name__} "
        f"takes {' or '.join(spaces)} ones. Priors that fit the posterior: {', '.join(fitting)}; "
        f"posteriors that fit the prior: {', '.join(others)}"
    )


def _fit(posterior: object, prior: object) -> bool:
    return _space(posterior) in _spaces(prior) and _made_for(posterior, prior)


def _made_for(posterior: object, prior: object) -> bool:
    names = _priors(posterior)
    return names is None or _class(prior) in map(registry.priors.get, names)


def _priors(posterior: object) -> tuple[str, ...] | None:
    kind = _class(posterior)
    return kind.priors if issubclass(kind, Posterior) else None


def _class(part: object) -> type:
    return part if isinstance(part, type) else type(part)


def _space(posterior: object) -> str:
    kind = _class(posterior)
    return kind.space if issubclass(kind, Posterior) else Posterior.space


def _spaces(prior: object) -> tuple[str, ...]:
    kind = _class(prior)
    return kind.spaces if issubclass(kind, Prior) else Prior.spaces
