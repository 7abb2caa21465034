"""What distributions over classes share: probabilities from either parameter, and 0 log 0 = 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import OpDistribution, precise
from pyvae.distributions.parameters import only, steep_log

__all__ = ["OverClasses", "expected_log"]

Self = TypeVar("Self", bound="OverClasses")


class OverClasses(OpDistribution):
    """Distributions whose parameters have a last dimension of classes.

    Args, of ``_given_classes``: probs and logits, of which one is given. Probabilities are kept as
    shares of their sum.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    #: How many dimensions the parameters have at least, and which.
    _least_ndim: ClassVar[int] = 1
    _last_in_words: ClassVar[str] = "a last dimension of classes"

    def _given_classes(self, **names: Tensor | None) -> dict[str, Tensor]:
        """The parameter that is given, by its name.

        Raises:
            TypeError: it is not a floating-point tensor.
            ValueError: not one of both, or too few dimensions.
        """
        family = type(self).__name__
        ((name, given),) = only(family, **names).items()
        if not isinstance(given, Tensor) or not given.is_floating_point():
            got = given.dtype if isinstance(given, Tensor) else type(given).__name__
            raise TypeError(f"{family}: {name} must be a floating-point tensor, got {got}")
        if given.ndim < self._least_ndim:
            raise ValueError(
                f"{family}: {name} must have {self._last_in_words}, got {tuple(given.shape)}"
            )
        return {name: given / given.sum(-1, keepdim=True) if name == "probs" else given}

    @property
    def _parameter(self) -> Tensor:
        return next(iter(self._given.values()))

    @property
    def param_shape(self) -> torch.Size:
        return self._parameter.shape

    @property
    def logits(self) -> Tensor:
        """Normalized: the logarithms of the probabilities."""
        return self._log_shares().to(self._dtype)

    @property
    def probs(self) -> Tensor:
        return self._shares().to(self._dtype)

    def _shares(self) -> Tensor:
        """The probabilities in float32 at least."""
        probs = self._given.get("probs")
        return precise(self._given["logits"]).softmax(-1) if probs is None else precise(probs)

    def _log_shares(self) -> Tensor:
        """Their logarithms, -inf where there is none, in float32 at least."""
        probs = self._given.get("probs")
        if probs is None:
            return precise(self._given["logits"]).log_softmax(-1)
        return steep_log(probs).masked_fill(probs == 0, -torch.inf)

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        own = self.param_shape[len(self._batch_shape) :]
        new._given = {k: t.expand(torch.Size(batch_shape) + own) for k, t in self._given.items()}
        return new


def expected_log(shares: Tensor, log_probs: Tensor) -> Tensor:
    """sum_c s_c log p_c (...) of vectors (..., C), with 0 log 0 = 0."""
    nothing = (shares == 0) & (log_probs == -torch.inf)
    return (shares * log_probs.masked_fill(nothing, 0.0)).sum(-1)
