"""The count densities of scvi-tools, computed by the ops.

>>> from pyvae.integrations import scvi
>>> with scvi.patched():
...     ...  # model.train()
Ellipsis
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from pyvae.functional import (
    negative_binomial_log_prob,
    poisson_log_prob,
    zero_inflated_negative_binomial_log_prob,
)
from pyvae.integrations._library import Patch, Replacement, library

__all__ = ["patch", "patched", "restore"]

EPSILON = 1e-8  # what scvi-tools adds to a mean before it takes the logarithm

distributions = library("scvi.distributions", "scvi")
settings = library("scvi", "scvi").settings


def patch() -> None:
    """Let scvi-tools compute its Poisson, negative binomial and zero-inflated densities by the ops.

    ``log_prob`` of ``scvi.distributions.Poisson``, ``NegativeBinomial`` and
    ``ZeroInflatedNegativeBinomial`` gives the same numbers as before, one for each element and in
    the same dtype, for every model of the library; so do gradients. As there, 1e-8 is added to the
    mean of a negative binomial, which keeps it finite where a mean of 0 meets a count; the 1e-8
    that scvi-tools also adds to the inverse dispersion is left out, a difference of less than 2e-8
    nats. Values outside the support warn or raise as before. Calling this twice is the same as
    calling it once.

    >>> patch()
    >>> restore()
    """
    _patch.apply()


def restore() -> None:
    """Give scvi-tools its own densities back.

    >>> restore()
    """
    _patch.restore()


def patched() -> AbstractContextManager[None]:
    """:func:`patch` for a block; afterwards all is as it was before.

    >>> with patched():
    ...     p = distributions.NegativeBinomial(mu=torch.ones(2), theta=torch.ones(2))
    ...     p.log_prob(torch.zeros(2))
    tensor([-0.6931, -0.6931])
    """
    return _patch()


def _negative_binomial(self: Any, value: Tensor) -> Tensor:
    if self._validate_args:
        _warn_outside(self, value)
    mean, theta = self.mu, self.theta
    n = max(value.ndim, mean.ndim)
    each = negative_binomial_log_prob(value, mean + EPSILON, theta, batch_ndim=n)
    return each.to(_dtype(value, mean, theta))


def _zero_inflated_negative_binomial(self: Any, value: Tensor) -> Tensor:
    _warn_outside(self, value)
    mean, theta, logits = self.mu, self.theta, self.zi_logits
    n = max(value.ndim, mean.ndim)
    return zero_inflated_negative_binomial_log_prob(
        value, mean + EPSILON, theta, logits, batch_ndim=n
    )


def _poisson(self: Any, value: Tensor) -> Tensor:
    if self._validate_args:
        self._validate_sample(value)
    n = max(value.ndim, self.rate.ndim)
    each = poisson_log_prob(value, self.rate.log(), batch_ndim=n)
    return each.to(_dtype(value, self.rate))


def _warn_outside(distribution: Any, value: Tensor) -> None:
    try:
        distribution._validate_sample(value)
    except ValueError:
        warnings.warn(
            "The value argument must be within the support of the distribution",
            UserWarning,
            stacklevel=settings.warnings_stacklevel + 1,
        )


def _dtype(value: Tensor, *parameters: Tensor) -> torch.dtype:
    """That of the library's own formula, which takes no 16-bit numbers in float32."""
    dtype = value.dtype if value.is_floating_point() else parameters[0].dtype
    for t in parameters:
        dtype = torch.promote_types(dtype, t.dtype)
    return dtype


def _replacements() -> Iterator[Replacement]:
    for name, log_prob in (
        ("Poisson", _poisson),
        ("NegativeBinomial", _negative_binomial),
        ("ZeroInflatedNegativeBinomial", _zero_inflated_negative_binomial),
    ):
        yield Replacement(getattr(distributions, name), "log_prob", log_prob)


_patch = Patch(_replacements)
