"""Variational Bayes of the decoder's weights too."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pyvae.distributions import DiagonalGaussian, rsample_kl
from pyvae.models.base import Model
from pyvae.objectives.aggressive_inference import AggressiveInference
from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.objectives.wrapper import LossOf, Wrapper
from pyvae.registry import objectives

__all__ = ["FullVB"]


@objectives.register("full_vb")
class FullVB(Wrapper):
    r"""Another objective whose generative weights are drawn from a Gaussian posterior of their own.

    .. math::
        \text{loss} = \mathbb E_{q(\theta)}[\text{inner loss}(\theta)]
                      + \tfrac1N\, \mathrm{KL}(q(\theta) \,\|\, p(\theta)), \quad
        q(\theta) = \mathcal N(\mu, \mathrm{diag}(\sigma^2)), \quad p(\theta) = \mathcal N(0, s^2 I)

    Kingma & Welling 2014, appendix F: with the ELBO inside, -N times the loss is a lower bound on
    the log marginal likelihood of all N data, weights integrated out. theta are the parameters of
    p(z) p(x|z), drawn once for each batch. The model's own parameters are the means mu, which is
    what is evaluated and saved; the objective owns the log-variances.

    The terms are those of the inner objective, and ``weight_kl``, the KL of the weights in nats.

    Args:
        weight_scale: s, the standard deviation of the prior on each weight
        init_logvar: log sigma^2 at the start
        objective: the inner one, of one phase, by name or as it is
        options: of the inner objective, where it is given by name

    Raises:
        ValueError: a scale that is not positive, or an unknown number of training data.
        UnknownPartError: no objective has this name.
        TypeError: the inner objective has several phases, is aggressive_inference, or has no such
            option.

    >>> from pyvae import VAE
    >>> model, objective = VAE((1, 8, 8), latent_dim=2), FullVB()
    >>> objective.data_size = 60_000
    >>> objective.bind(model)
    >>> sorted(objective(model, torch.zeros(4, 1, 8, 8)).terms)
    ['elbo', 'kl', 'log_likelihood', 'weight_kl']
    """

    logvars: nn.ParameterList

    def __init__(
        self,
        weight_scale: float = 1.0,
        init_logvar: float = -8.0,
        objective: str | Objective = "elbo",
        **options: Any,
    ) -> None:
        super().__init__("full_vb", objective, options)
        if any(isinstance(part, AggressiveInference) for part in self.inner.modules()):
            raise TypeError(
                "full_vb: aggressive_inference goes around full_vb, not inside, where the KL of "
                "the weights would move them at every step"
            )
        if weight_scale <= 0:
            raise ValueError(f"full_vb: weight_scale must be positive, got {weight_scale}")
        self.weight_scale = weight_scale
        self.init_logvar = init_logvar

    def bind(self, model: Model) -> None:
        super().bind(model)
        self.need_one_phase(model)
        self.names = _names(model)
        means = dict(model.named_parameters())
        self.logvars = nn.ParameterList(
            torch.full_like(means[name], self.init_logvar) for name in self.names
        )

    def phases(self, model: Model) -> list[Phase]:
        (phase,) = super().phases(model)
        return [Phase(phase.name, [*phase.parameters, *self.logvars], phase.lr_factor)]

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        means = dict(model.named_parameters())
        weights, kls = {}, []
        for name, logvar in zip(self.names, self.logvars, strict=True):
            weights[f"model.{name}"], kl = self._draw(means[name], logvar)
            kls.append(kl)
        kl = torch.stack(kls).sum()
        loss = LossOf(model, self.inner)
        inner: Result = functional_call(loss, weights, (Batch.of(batch),))
        terms = {**inner.terms, "weight_kl": kl.detach()}
        return Result(inner.loss + kl / self.rows(), terms)

    def _draw(self, mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        """A sample of q(theta) of one parameter, and its KL ()."""
        n = mean.ndim
        q = DiagonalGaussian(mean, logvar, event_ndim=n, validate_args=False)
        zero, spread = mean.new_zeros(()).expand(mean.shape), 2 * math.log(self.weight_scale)
        return rsample_kl(q, DiagonalGaussian(zero, spread, event_ndim=n, validate_args=False))


def _names(model: Model) -> list[str]:
    """The names of the generative parameters that are trained."""
    generative = {id(p) for p in model.generative_parameters() if p.requires_grad}
    return [name for name, p in model.named_parameters() if id(p) in generative]
