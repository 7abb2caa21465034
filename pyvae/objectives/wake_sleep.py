"""The wake-sleep algorithm."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.objectives.sampling import need_density, need_same_kind
from pyvae.registry import objectives

__all__ = ["WakeSleep"]


@objectives.register("wake_sleep")
class WakeSleep(Objective):
    r"""Wake-sleep: p learns from what q infers, q learns from what p dreams.

    .. math::
        \text{wake:} &\ \min_{p}\ -\log p(x, z), \quad x \sim \text{data},\ z \sim q(z|x) \\
        \text{sleep:} &\ \min_{q}\ -\log q(z|x), \quad z \sim p(z),\ x \sim p(x|z)

    Hinton, Dayan, Frey & Neal 1995. Nothing is differentiated through samples, so that it takes
    any posterior with a density: those of a Helmholtz machine, for which these gradients are the
    local delta rule (:func:`pyvae.models.delta_rule`), and the Gaussian of a VAE, as Kingma &
    Welling 2014, section 5, compare with. The loss of the sleep phase is not a bound on log p(x).

    The terms are ``elbo``, ``log_likelihood`` and ``kl``, from the one sample of z of the wake
    phase, and ``log_recognition``, log q(z|x) of the dreams. Nats per datum.

    Raises:
        TypeError: a posterior or a prior without a density.

    >>> from pyvae import VAE
    >>> model = VAE((1, 8, 8), latent_dim=2)
    >>> [phase.name for phase in WakeSleep().phases(model)]
    ['wake', 'sleep']
    >>> sorted(WakeSleep()(model, torch.zeros(4, 1, 8, 8), phase="sleep").terms)
    ['log_recognition']
    """

    def phases(self, model: Model) -> list[Phase]:
        generative, recognition = model.generative_parameters(), model.recognition_parameters()
        return [
            Phase("wake", [p for p in generative if p.requires_grad]),
            Phase("sleep", [p for p in recognition if p.requires_grad]),
        ]

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        return self._sleep(model, batch) if phase == "sleep" else self._wake(model, batch)

    def _wake(self, model: Model, batch: Batch) -> Result:
        q, p = model.infer(batch)
        need_same_kind("wake_sleep", q, p)
        with torch.no_grad():
            z = q.sample()
            with need_density("wake_sleep", q):
                log_q = q.log_prob(z).mean()
        log_prior = p.log_prob(z).mean()
        log_likelihood = model.decode(z, **batch.extras).log_prob(batch.target).mean()
        joint = log_likelihood + log_prior
        terms = {
            "elbo": joint - log_q,
            "log_likelihood": log_likelihood,
            "kl": log_q - log_prior,
        }
        return Result(-joint, {name: term.detach() for name, term in terms.items()})

    def _sleep(self, model: Model, batch: Batch) -> Result:
        with torch.no_grad():
            z = model.sample_prior(len(batch), batch.extras)
            dream = replace(batch, x=model.decode(z, **batch.extras).sample())
        q, _ = model.infer(dream)
        log_q = q.log_prob(z).mean()
        return Result(-log_q, {"log_recognition": log_q.detach()})
