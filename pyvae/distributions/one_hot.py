"""Groups of classes as one-hot codes, with relaxed samples for gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import precise, root
from pyvae.distributions.classes import OverClasses, expected_log
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.reparameterize.base import uniform_noise

__all__ = ["OneHot"]


class OneHot(OverClasses):
    r"""Independent categorical variables as one vector of their one-hot codes.

    .. math:: \log p(z) = \sum_g z_g \cdot \log \operatorname{softmax}(l_g)

    ``sample`` draws codes; ``rsample`` draws from the relaxation softmax((l + Gumbel noise) / t),
    which tends to them as t falls to 0 (Jang et al. 2017; Maddison et al. 2017). The log-density is
    that of the codes, continued linearly to relaxed samples; so are the divergences. With a single
    group it is ``OneHotCategorical`` of ``torch.distributions``, without its clamps.

    Args:
        logits: l, (*batch, groups, classes); -inf takes a class away
        temperature: t
        probs: (*batch, groups, classes), instead of logits; they need not sum to one
        straight_through: let ``rsample`` give codes with the gradient of the relaxation
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the parameter is not a floating-point tensor.
        ValueError: not one of probs and logits, fewer than two dimensions, or a temperature that
            is not positive; NaN, or probabilities that are negative or all 0, where parameters are
            validated; a value of another event shape, or where values are validated one that holds
            no code, relaxed or not, of each group.

    >>> p = OneHot(torch.zeros(3, 2, 5))
    >>> p.event_shape, p.sample().sum(-1)
    (torch.Size([10]), tensor([2., 2., 2.]))
    """

    has_rsample = True
    _least_ndim = 2
    _last_in_words = "last dimensions of groups and classes"

    def __init__(
        self,
        logits: Tensor | None = None,
        temperature: float = 1.0,
        *,
        probs: Tensor | None = None,
        straight_through: bool = False,
        validate_args: bool | None = None,
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"OneHot: temperature must be positive, got {temperature}")
        self.temperature = temperature
        self.straight_through = straight_through
        given = self._given_classes(probs=probs, logits=logits)
        ((*batch, groups, classes),) = (t.shape for t in given.values())
        self._split(torch.Size([*batch, groups * classes]), 1, validate_args, given)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> constraints.Constraint:
        groups, classes = self.param_shape[-2:]
        return constraints.one_hot if groups == 1 else _Codes(classes)

    def _scores(self) -> Tensor:
        """Logits whose softmax the probabilities are."""
        logits = self._given.get("logits")
        return self.logits if logits is None else logits

    @property
    def mean(self) -> Tensor:
        """The probabilities (*batch, groups * classes)."""
        return self.probs.flatten(-2)

    @property
    def mode(self) -> Tensor:
        """The likeliest code."""
        return _codes(self._parameter).flatten(-2)

    @property
    def variance(self) -> Tensor:
        return self._variance().to(self._dtype)

    @property
    def stddev(self) -> Tensor:
        return root(self._variance()).to(self._dtype)

    def _variance(self) -> Tensor:
        """p (1 - p), where 1 - p is the sum of the other probabilities."""
        probs = self._shares()
        largest = torch.arange(probs.shape[-1], device=probs.device) == probs.argmax(-1, True)
        others = torch.where(largest, 0.0, probs).sum(-1, keepdim=True)
        return (probs * torch.where(largest, others, 1 - probs)).flatten(-2)

    def _gumbels(self, sample_shape: Sequence[int]) -> Tensor:
        scores = self._scores()
        shape = torch.Size(sample_shape) + scores.shape
        return scores - torch.log(-torch.log(uniform_noise(shape, scores)))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Codes (*sample_shape, *batch, groups * classes), exact."""
        with torch.no_grad():
            return _codes(self._gumbels(sample_shape)).flatten(-2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Relaxed codes (*sample_shape, *batch, groups * classes), differentiable."""
        scores = self._gumbels(sample_shape)
        below = scores - scores.detach().amax(-1, keepdim=True)  # no infinity less another
        soft = (below / self.temperature).softmax(-1)
        if self.straight_through:
            soft = _codes(soft.detach()) + soft - soft.detach()
        return soft.flatten(-2)

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return self.param_shape[-2] == 1

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Every code (classes, *batch, classes), of a single group."""
        groups, classes = self.param_shape[-2:]
        if groups > 1:
            raise NotImplementedError("OneHot: only the codes of a single group can be enumerated")
        codes = torch.eye(classes, dtype=self._dtype, device=self._parameter.device)
        codes = codes.reshape(classes, *(1 for _ in self._batch_shape), classes)
        return codes.expand(-1, *self._batch_shape, -1) if expand else codes

    def _validate_sample(self, value: Tensor) -> None:
        groups, classes = self.param_shape[-2:]
        codes = precise(value) if value.is_floating_point() else value.float()
        codes = codes.unflatten(-1, (groups, classes))
        total = codes.sum(-1)
        coarse = torch.finfo(value.dtype).eps if value.is_floating_point() else 0.0
        whole = (total - 1).abs() <= 1e-4 + classes * coarse
        if not bool((whole & (codes >= 0).all(-1)).all()):
            raise ValueError(
                f"OneHot.log_prob: value must hold {groups} x {classes} numbers of at least 0, "
                f"those of each group with sum 1, got {codes.min().item():g} among them and sums "
                f"from {total.min().item():g} to {total.max().item():g}"
            )

    def log_prob(self, value: Tensor) -> Tensor:
        """The log-probability of codes (*sample, *batch, groups * classes)."""
        self._batch_ndim(value)
        return self._linear(value)

    def _linear(self, value: Tensor) -> Tensor:
        return expected_log(value, self._log_shares().flatten(-2))

    def entropy(self) -> Tensor:
        """H = -E log p(z); log p is linear in z."""
        return -self._linear(self._shares().flatten(-2))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> OneHot:
        new = super().expand(batch_shape, _instance)
        new.temperature, new.straight_through = self.temperature, self.straight_through
        return new


class _Codes(constraints.Constraint):
    """One-hot codes of several groups, one after the other."""

    is_discrete = True
    event_dim = 1

    def __init__(self, classes: int) -> None:
        self.classes = classes
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        each: Tensor = constraints.one_hot.check(value.unflatten(-1, (-1, self.classes)))
        return each.all(-1)


def _codes(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores).scatter_(-1, scores.argmax(-1, keepdim=True), 1.0)


@closed_form(OneHot, OneHot)
def _kl_one_hot(q: OneHot, p: OneHot) -> Tensor:
    """KL = E_q[log q(z) - log p(z)]; both are linear in z."""
    if q.param_shape[-2:] != p.param_shape[-2:]:
        raise ValueError(
            f"kl_divergence: both must have as many groups and classes, got "
            f"{tuple(q.param_shape[-2:])} and {tuple(p.param_shape[-2:])}"
        )
    return -q.entropy() - p._linear(q._shares().flatten(-2))
