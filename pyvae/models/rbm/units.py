"""Which likelihoods are those of the visible units of a restricted Boltzmann machine."""

from __future__ import annotations

from torch import nn

from pyvae.likelihoods import BernoulliLikelihood, GaussianLikelihood

__all__ = ["check_units"]


def check_units(likelihood: nn.Module) -> None:
    """Raises: TypeError: the likelihood is not one that p(v|h) can be."""
    unfit = ""
    if isinstance(likelihood, GaussianLikelihood):
        unfit += " with variance='per_pixel'" if likelihood.kind == "per_pixel" else ""
        unfit += " with mean='sigmoid'" if likelihood.bounded else ""
        if not unfit:
            return
    elif isinstance(likelihood, BernoulliLikelihood):
        return
    raise TypeError(
        f"rbm: the visible units are bernoulli, or gaussian with a linear mean and a fixed or "
        f"learned variance, got the {type(likelihood).__name__}{unfit}"
    )
