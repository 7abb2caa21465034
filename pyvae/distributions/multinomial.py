"""How often each of many classes came, of a number of draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import broadcast, precise
from pyvae.distributions.checked import Checked
from pyvae.distributions.counts import multinomial_counts
from pyvae.distributions.parameters import Parameter, as_tensors, only, steep_log
from pyvae.functional import poisson_log_prob
from pyvae.functional.observed import sum_rows

__all__ = ["Multinomial"]


class Multinomial(Checked):
    r"""Counts x of n draws, each of class i with probability p_i = softmax(l)_i.

    .. math:: \log p(x) = \log \frac{n!}{\prod_i x_i!} + \sum_i x_i \log p_i, \qquad n = \sum_i x_i

    Equal to ``Multinomial`` of ``torch.distributions``, but that the number of draws may differ
    from row to row, and need not be given for a log-probability: it is the sum of the counts. In
    the place of factorials stands a Poisson op, which keeps the digits of large counts in float32:
    counts of n draws are Poisson counts of rates n p_i, given their total n. It takes a pass of
    ``log_softmax`` and one of the op; nothing else has the size of the event.

    Args:
        total_count: n, a number or (*batch,); None: unknown, so that there are no mean and samples
        probs: p, (*batch, *event), not negative; they need not sum to one
        logits: l, instead
        validate_args: check parameters and values (this waits for the device); default: as torch
        event_ndim: how many trailing dimensions hold the classes
        coefficient: count the logarithm of n! / prod x_i!, which no parameter moves; Liang et al.
            2018 leave it out

    Raises:
        TypeError: a parameter is neither a floating-point tensor nor a number.
        ValueError: not one of probs and logits; shapes that do not broadcast; parameters out of
            range, or values that are no counts or have another total, where they are validated.

    >>> p = Multinomial(3, probs=torch.tensor([0.5, 0.25, 0.25]))
    >>> p.log_prob(torch.tensor([1.0, 1.0, 1.0])).exp()  # 3! / 2 / 4 / 4
    tensor(0.1875)
    >>> p.mean
    tensor([1.5000, 0.7500, 0.7500])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "probs": constraints.nonnegative,
        "logits": constraints.real,
        "total_count": constraints.nonnegative_integer,
    }
    variable = constraints.nonnegative_integer
    values = "whole numbers of at least 0"
    has_parts = True

    def __init__(
        self,
        total_count: Parameter | None = None,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
        *,
        event_ndim: int = 1,
        coefficient: bool = True,
    ) -> None:
        name = "Multinomial"
        given = only(name, probs=probs, logits=logits)
        if total_count is not None:
            given["total_count"] = total_count
        tensors = as_tensors(name, **given)
        ((key, main), *rest) = tensors.items()
        if not 0 < event_ndim <= main.ndim:
            raise ValueError(
                f"{name}: {key} must have {event_ndim} dimensions of classes, at least one, got "
                f"{tuple(main.shape)}"
            )
        batch, event = main.shape[: main.ndim - event_ndim], main.shape[main.ndim - event_ndim :]
        if rest:
            batch = broadcast(batch, tensors["total_count"].shape)
            tensors[key] = main.expand(batch + event)
        self.coefficient = coefficient
        self._split(batch + event, event_ndim, validate_args, tensors)

    @property
    def total_count(self) -> Tensor | None:
        """n (*batch,), where it is known."""
        total = self._given.get("total_count")
        return None if total is None else total.expand(self._batch_shape)

    @property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return self._log_shares().to(self._dtype)

    @property
    def probs(self) -> Tensor:
        return self._log_shares().exp().to(self._dtype)

    def _log_shares(self, mask: Tensor | None = None) -> Tensor:
        """Among all classes, or those that are observed, in float32 at least."""
        probs = self._given.get("probs")
        logits = precise(self._given["logits"]) if probs is None else steep_log(probs)
        if mask is not None:
            logits = torch.where(mask, logits, torch.finfo(logits.dtype).min)
        n = self._event_ndim
        shares: Tensor = logits.flatten(-n).log_softmax(-1).unflatten(-1, logits.shape[-n:])
        return shares

    def _total(self) -> Tensor:
        total = self.total_count
        if total is None:
            raise ValueError(
                "Multinomial: a mean and samples need total_count, the number of draws, got None"
            )
        return total[(..., *(None,) * self._event_ndim)]

    @property
    def mean(self) -> Tensor:
        return self._total() * self.probs

    @property
    def variance(self) -> Tensor:
        return self._total() * self.probs * (1 - self.probs)

    def _validate_sample(self, value: Tensor, mask: Tensor | None = None) -> None:
        super()._validate_sample(value, mask)
        if mask is None and (total := self.total_count) is not None:
            sums, totals = torch.broadcast_tensors(self._over_event(value), total)
            if bool((wrong := sums != totals).any()):
                raise ValueError(
                    f"Multinomial.log_prob: the counts of a value must sum to total_count, "
                    f"{totals[wrong][0].item():g}, got {sums[wrong][0].item():g}"
                )

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        return self._of_shares(value, self._log_shares(), None)

    def _of_shares(self, value: Tensor, shares: Tensor, mask: Tensor | None) -> Tensor:
        n = self._event_ndim
        count = sum_rows(value.to(shares.dtype), n)
        none = count == 0  # has log p = 0, and the rates below no logarithm
        ndim = max(value.ndim, shares.ndim) - n
        if not self.coefficient:
            shares = shares if mask is None else torch.where(mask, shares, 0.0)
            return sum_rows(value * torch.where(value == 0, 0.0, shares), n)
        log_count = torch.where(none, 1.0, count).log()
        rates = shares + log_count[(..., *(None,) * n)]
        parts = poisson_log_prob(value, rates, mask=mask, batch_ndim=ndim)
        whole = poisson_log_prob(count, log_count, batch_ndim=count.ndim)
        return torch.where(none, 0.0, parts - whole)

    def _impossible(self, value: Tensor) -> Tensor | None:
        probs = self._given.get("probs")
        return None if probs is None else (probs == 0) & (value > 0)

    def log_prob_of_part(self, value: Tensor, mask: Tensor) -> Tensor:
        """log p of the counts that were observed, given their total: one among fewer classes."""
        if self._validate_args and value.numel():
            self._validate_sample(value, mask)
        value = torch.where(mask, value, value.new_zeros(()))
        return self._of_shares(value, self._log_shares(mask), mask)

    def _draw(self, shape: torch.Size) -> Tensor:
        n = self._event_ndim
        probs, total = self._log_shares().exp().expand(shape), self._total()
        rows = probs.flatten(-n).flatten(0, -2) if len(shape) > n else probs.flatten().unsqueeze(0)
        totals = total.expand(*shape[: len(shape) - n], *(1,) * n).flatten()
        return multinomial_counts(rows, totals).reshape(shape).to(self._dtype)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Multinomial:
        new = self._expanded(batch_shape, _instance)
        main = next(iter(new._given))
        new._given[main] = new._given[main].expand(torch.Size(batch_shape) + self._event_shape)
        new.coefficient = self.coefficient
        return new
