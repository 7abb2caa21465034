"""The ELBO with a penalty on the total correlation, estimated by a discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.objectives.bound import negative_elbo_terms
from pyvae.objectives.discriminator import Discriminator
from pyvae.objectives.sampling import KL_ESTIMATORS, need_rsample, sample_kl
from pyvae.registry import objectives

__all__ = ["FactorVAE", "permute_dimensions"]


def permute_dimensions(z: Tensor) -> Tensor:
    """Each column of z (B, D) in a random order of its own: samples of the product of marginals.

    >>> z = torch.arange(6.0).view(3, 2)
    >>> torch.equal(permute_dimensions(z).sort(0).values, z)
    True
    """
    return z.gather(0, torch.rand_like(z).argsort(0))


@objectives.register("factor_vae")
class FactorVAE(Objective):
    r"""The ELBO with a penalty on the total correlation of the aggregated posterior.

    .. math::
        \text{loss} = -\text{ELBO} + \gamma\, \mathrm{KL}(q(z) \,\|\, \textstyle\prod_d q(z_d)),
        \qquad \mathrm{KL} \approx \mathbb E_{q(z)}[D(z)]

    Kim & Mnih 2018, eq. 2 and 3. The discriminator's logit D is trained, in a phase of its own, to
    tell samples of q(z) from those with each dimension permuted over the batch.

    The terms are ``elbo``, ``log_likelihood``, ``kl``, ``total_correlation`` (nats per datum), and
    the discriminator's ``accuracy``.

    Args:
        gamma: the weight of the total correlation
        hidden: the width of each hidden layer of the discriminator
        activation: its function after each hidden layer
        discriminator_lr: its learning rate, in units of the run's
        discriminator_betas: those of its Adam; the paper's follow the model faster than the usual
            (0.9, 0.999)
        estimator: of the KL in the ELBO: "auto", "analytic" or "sampled", as in the ELBO

    Raises:
        ValueError: an unknown estimator, a negative gamma, or betas that are not two numbers from 0
            to below 1.
        TypeError: a posterior without reparameterized samples, or no closed form for "analytic".

    >>> from pyvae import VAE
    >>> model, objective = VAE((1, 8, 8), latent_dim=2), FactorVAE(hidden=(16,))
    >>> objective.bind(model)
    >>> [phase.name for phase in objective.phases(model)]
    ['model', 'discriminator']
    >>> sorted(objective(model, torch.zeros(4, 1, 8, 8), phase="discriminator").terms)
    ['accuracy']
    """

    min_rows = 2

    discriminator: Discriminator

    def __init__(
        self,
        gamma: float = 35.0,
        hidden: Sequence[int] = (1000, 1000, 1000, 1000, 1000, 1000),
        activation: str = "leaky_relu",
        discriminator_lr: float = 1.0,
        discriminator_betas: Sequence[float] = (0.5, 0.9),
        estimator: Literal["auto", "analytic", "sampled"] = "auto",
    ) -> None:
        super().__init__()
        if estimator not in KL_ESTIMATORS:
            raise ValueError(
                f"factor_vae: estimator must be one of {', '.join(KL_ESTIMATORS)}, "
                f"got {estimator!r}"
            )
        if gamma < 0:
            raise ValueError(f"factor_vae: gamma must not be negative, got {gamma}")
        betas = tuple(discriminator_betas)
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                "factor_vae: discriminator_betas must be two numbers from 0 to below 1, got "
                f"{betas}"
            )
        self.gamma = gamma
        self.hidden = tuple(hidden)
        self.activation = activation
        self.discriminator_lr = discriminator_lr
        self.discriminator_betas = betas
        self.estimator = estimator

    def bind(self, model: Model) -> None:
        self.discriminator = Discriminator(model, self.hidden, self.activation)

    def phases(self, model: Model) -> list[Phase]:
        own = list(self.discriminator.parameters())
        return [
            Phase("model", [p for p in model.parameters() if p.requires_grad]),
            Phase("discriminator", own, self.discriminator_lr, self.discriminator_betas),
        ]

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        if phase == "discriminator":
            with torch.no_grad():
                q, _ = model.infer(batch)
                need_rsample("factor_vae", q)
                joint, product = q.rsample(), permute_dimensions(q.rsample())
            loss, accuracy = self.discriminator.loss(joint, product)
            return Result(loss, {"accuracy": accuracy})
        q, p = model.infer(batch)
        z, kl_each = sample_kl("factor_vae", q, p, 1, self.estimator)
        correlation = self.discriminator(z).mean()
        log_likelihood_each = model.decode(z, **batch.extras).log_prob(batch.target)
        loss, terms = negative_elbo_terms(log_likelihood_each, kl_each)
        terms["total_correlation"] = correlation.detach()
        return Result(loss + self.gamma * correlation, terms)
