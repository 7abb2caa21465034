"""Categorical variables, such as pixels of 256 levels without an order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, distributions
from torch.distributions import constraints

from pyvae.distributions.base import root
from pyvae.distributions.classes import OverClasses, expected_log
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.finite import Finite
from pyvae.distributions.parameters import steep_log
from pyvae.functional import categorical_log_prob
from pyvae.functional.observed import only_observed

__all__ = ["Categorical"]


class Categorical(OverClasses, Finite, distributions.Categorical):  # type: ignore[override]
    r"""Independent variables among 0 .. C - 1.

    .. math:: \log p(x) = \sum_i l_{i, x_i} - \log \sum_c e^{l_{i, c}}

    Pixels as classes: van den Oord et al. 2016, section 3. Equal to ``Categorical`` of
    ``torch.distributions``, or ``Independent(Categorical, event_ndim)``, but that mean and variance
    are those of the classes as numbers, and that probabilities are not clamped: the log-probability
    of a class that has none is -inf. It is a subclass of torch's, which mixtures of torch ask for.

    Args:
        probs: (*batch, *event, C), not negative; they need not sum to one
        logits: l, instead; -inf takes a class away
        validate_args: check parameters and values (this waits for the device); default: as torch
        event_ndim: how many dimensions before the classes form the event

    Raises:
        TypeError: the parameter is not a floating-point tensor.
        ValueError: not one of probs and logits; no dimension of classes; NaN, or probabilities
            that are negative or all 0, where parameters are validated, a value that is not a class
            where values are.

    >>> Categorical(torch.tensor([1.0, 3.0])).log_prob(torch.tensor([0, 1])).exp()
    tensor([0.2500, 0.7500])
    >>> p = Categorical(logits=torch.zeros(3, 2, 4), event_ndim=1)
    >>> p.batch_shape, p.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> p.log_prob(torch.tensor([0, 3]))
    tensor([-2.7726, -2.7726, -2.7726])
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
        *,
        event_ndim: int = 0,
    ) -> None:
        given = self._given_classes(probs=probs, logits=logits)
        ((*shape, _),) = (t.shape for t in given.values())
        self._split(torch.Size(shape), event_ndim, validate_args, given)

    has_parts = True

    @property
    def _classes(self) -> int:
        return self.param_shape[-1]

    @property
    def _num_events(self) -> int:  # type: ignore[override]  # torch's mixtures ask
        return self._classes

    @property
    def variable(self) -> constraints.Constraint:  # type: ignore[override]
        return constraints.integer_interval(0, self._classes - 1)

    @property
    def values(self) -> str:  # type: ignore[override]
        return f"a whole number from 0 to {self._classes - 1}"

    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of the classes as numbers, in float32 at least."""
        probs = self._shares()
        classes = torch.arange(probs.shape[-1], dtype=probs.dtype, device=probs.device)
        mean = probs @ classes
        return mean, (probs * (classes - mean.unsqueeze(-1)).square()).sum(-1)

    @property
    def mean(self) -> Tensor:
        """The mean of the classes as numbers."""
        return self._moments()[0].to(self._dtype)

    @property
    def mode(self) -> Tensor:
        """The likeliest class, int64."""
        return self._parameter.argmax(-1)

    @property
    def variance(self) -> Tensor:
        return self._moments()[1].to(self._dtype)

    @property
    def stddev(self) -> Tensor:
        return root(self._moments()[1]).to(self._dtype)

    def entropy(self) -> Tensor:
        """H = -sum_i sum_c p_ic log p_ic."""
        return -self._over_event(expected_log(self._shares(), self._log_shares()))

    def _every_value(self) -> Tensor:
        return torch.arange(self._classes, device=self._parameter.device)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        if value.is_floating_point():  # classes as numbers; a fraction is none, which gives NaN
            value = torch.where(value == value.round(), value, -1.0).long()
        elif value.dtype == torch.bool:
            value = value.to(torch.uint8)
        probs = self._given.get("probs")
        logits = self._given["logits"] if probs is None else steep_log(probs)
        log_prob: Tensor = categorical_log_prob(value, logits, batch_ndim=batch_ndim)
        return log_prob

    def _impossible(self, value: Tensor) -> Tensor | None:
        probs = self._given.get("probs")
        if probs is None:
            return None
        classes = value.long().clamp(0, self._classes - 1).unsqueeze(-1)
        shape = torch.broadcast_shapes(classes.shape[:-1], probs.shape[:-1])
        none = (probs == 0).expand(*shape, -1)
        return none.gather(-1, classes.expand(*shape, 1)).squeeze(-1)

    def _apart(self, mask: Tensor) -> Categorical:
        given = {name: only_observed(mask, t, inner=1) for name, t in self._given.items()}
        return Categorical(given.get("probs"), given.get("logits"), validate_args=False)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Classes (*sample_shape, *batch, *event), int64."""
        return super().sample(sample_shape)

    def _draw(self, shape: torch.Size) -> Tensor:
        probs = self._shares()
        flat = probs.reshape(-1, self._classes)
        repeats = shape[: len(shape) - probs.ndim + 1].numel()
        if flat.shape[0] == 0 or repeats == 0:
            return torch.empty(shape, dtype=torch.int64, device=probs.device)
        return torch.multinomial(flat, repeats, replacement=True).T.reshape(shape)


@closed_form(Categorical, Categorical)
def _kl_categorical(q: Categorical, p: Categorical) -> Tensor:
    """KL = sum_i sum_c q_ic (log q_ic - log p_ic)."""
    if q.event_shape != p.event_shape or q._classes != p._classes:
        raise ValueError(
            f"kl_divergence: both Categoricals must have one event shape and as many classes, got "
            f"{tuple(q.event_shape)} with {q._classes} and {tuple(p.event_shape)} with {p._classes}"
        )
    return -q.entropy() - q._over_event(expected_log(q._shares(), p._log_shares()))
