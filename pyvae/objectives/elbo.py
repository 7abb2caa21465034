"""The evidence lower bound."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Result
from pyvae.objectives.bound import negative_elbo_terms
from pyvae.objectives.kl_weight import KLWeight, WeightsKL
from pyvae.objectives.sampling import (
    KL_ESTIMATORS,
    need_density,
    need_same_kind,
    sample_factor_kl,
    sample_kl,
)
from pyvae.objectives.score_function import ScoreFunction
from pyvae.objectives.weight_prior import WEIGHT_PRIORS, weight_energy
from pyvae.registry import objectives

__all__ = ["ELBO"]

ESTIMATORS = {"A": "sampled", "B": "analytic"}  # as Kingma & Welling call them


@objectives.register("elbo")
class ELBO(WeightsKL):
    r"""The negative evidence lower bound, by either SGVB estimator.

    .. math::
        \text{loss} = \frac1B \sum_x \beta\, \mathrm{KL}(q(z|x) \,\|\, p(z))
                      - \frac1K \sum_k \log p(x|z_k), \quad z_k \sim q(z|x)

    ``"analytic"`` takes the KL in closed form (estimator B), ``"sampled"`` as the mean of
    log q(z|x) - log p(z) over the same samples (estimator A): Kingma & Welling 2014, eq. 6 and 7.
    ``"auto"`` is "analytic" where a closed form is known for posterior and prior, else "sampled".
    ``"reinforce"`` is estimator A with the gradient of :class:`ScoreFunction`, which needs no
    differentiable samples and so serves discrete latents. All agree in expectation.

    beta: Higgins et al. 2017, eq. 4; how it may change while training: :class:`KLWeight`. A prior
    on the weights of p(z) p(x|z) makes training maximise log p(theta) + N/B times the bound of the
    batch (Kingma & Welling 2014, eq. 8 and section 5), here divided by N.

    The terms are ``elbo`` (always with beta = 1), ``log_likelihood`` and ``kl``: nats per datum,
    summed over the event, mean over the batch. Nothing else is weighted.

    Args:
        beta: the weight of the KL
        num_samples: samples of z for each datum
        estimator: "auto", "analytic" or "B", "sampled" or "A", "reinforce"
        baseline: for "reinforce": "none", "moving_average" or "leave_one_out"
        capacity: C in nats: the KL costs beta \|KL - C\| (Burgess et al. 2018)
        warm_up_steps: steps in which beta, or C where it is given, rises to its value
        warm_up_epochs: the same in epochs, instead of steps
        warm_up_from: where it begins to rise
        cycle: after how many of these the rise begins again (Fu et al. 2019); 0: never
        free_bits: nats of KL that cost nothing (Kingma et al. 2016), against posterior collapse
        free_bits_per: what has so many: the mean over the "batch", each "datum" or each "latent"
        weight_prior: "normal" or "laplace", the prior on each weight; None: flat
        weight_scale: its standard deviation, or scale

    Raises:
        ValueError: an unknown estimator, baseline or prior, fewer than one sample, a negative
            number, or options that do not go together.
        TypeError: "analytic", or free bits per latent, where the KL of posterior and prior, or of
            each latent, has no closed form; a posterior without reparameterized samples where it
            takes them.

    >>> import torch
    >>> from pyvae import VAE
    >>> result = ELBO()(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8))
    >>> sorted(result.terms)
    ['elbo', 'kl', 'log_likelihood']
    """

    def __init__(
        self,
        beta: float = 1.0,
        num_samples: int = 1,
        estimator: Literal["auto", "analytic", "sampled", "reinforce", "A", "B"] = "auto",
        *,
        baseline: str = "moving_average",
        capacity: float | None = None,
        warm_up_steps: int = 0,
        warm_up_epochs: int = 0,
        warm_up_from: float = 0.0,
        cycle: int = 0,
        free_bits: float = 0.0,
        free_bits_per: Literal["batch", "datum", "latent"] = "batch",
        weight_prior: Literal["normal", "laplace"] | None = None,
        weight_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.estimator = ESTIMATORS.get(estimator, estimator)
        if self.estimator not in (*KL_ESTIMATORS, "reinforce"):
            raise ValueError(
                "elbo: estimator must be 'auto', 'analytic' (or 'B'), 'sampled' (or 'A') or "
                f"'reinforce', got {estimator!r}"
            )
        if num_samples < 1:
            raise ValueError(f"elbo: num_samples must be at least 1, got {num_samples}")
        if weight_prior not in (None, *WEIGHT_PRIORS):
            raise ValueError(
                f"elbo: weight_prior must be one of {', '.join(WEIGHT_PRIORS)}, "
                f"got {weight_prior!r}"
            )
        if weight_scale <= 0:
            raise ValueError(f"elbo: weight_scale must be positive, got {weight_scale}")
        self.num_samples = num_samples
        self.kl_weight = KLWeight(
            "elbo",
            beta,
            capacity=capacity,
            warm_up_steps=warm_up_steps,
            warm_up_epochs=warm_up_epochs,
            warm_up_from=warm_up_from,
            cycle=cycle,
            free_bits=free_bits,
            free_bits_per=free_bits_per,
        )
        if self.kl_weight.per_latent and self.estimator not in ("auto", "analytic"):
            raise ValueError(
                f"elbo: free_bits_per='latent' takes the KL of each latent in closed form, by the "
                f"estimator 'auto' or 'analytic', got {estimator!r}; free bits per batch and per "
                f"datum go with any"
            )
        self.score = ScoreFunction(baseline, num_samples) if self.estimator == "reinforce" else None
        self.weight_prior = weight_prior
        self.weight_scale = weight_scale

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        q, p = model.infer(batch)
        if self.score is not None:
            z, kl_each, log_q = self._fixed_sample_kl(q, p)
        elif self.kl_weight.per_latent:
            z, kl_latents = sample_factor_kl("elbo", q, p, self.num_samples)
            kl_each = kl_latents.sum(-1)
        else:
            z, kl_each = sample_kl("elbo", q, p, self.num_samples, self.estimator)
        log_likelihood_each = model.decode(z, **batch.extras).log_prob(batch.target)
        loss, terms = negative_elbo_terms(log_likelihood_each, kl_each, self.kl_weight.weight)
        if not self.kl_weight.linear:
            charged = kl_latents if self.kl_weight.per_latent else kl_each
            loss = self.kl_weight.cost(charged) - log_likelihood_each.mean()
        if self.score is not None:
            signal = log_likelihood_each - self.kl_weight.slope(kl_each) * kl_each
            loss = loss + self.score(signal, log_q)
        if self.weight_prior is not None:
            theta = model.generative_parameters()
            energy = weight_energy(theta, self.weight_prior, self.weight_scale)
            loss = loss + energy / self.rows()
            terms["weight_energy"] = energy.detach()
        return Result(loss, terms)

    def _fixed_sample_kl(self, q: Distribution, p: Distribution) -> tuple[Tensor, Tensor, Tensor]:
        """Samples without a gradient, log q - log p of each with that of p alone, and log q."""
        need_same_kind("elbo with estimator='reinforce'", q, p)
        shape = torch.Size(() if self.num_samples == 1 else (self.num_samples,))
        with torch.no_grad():
            z = q.sample(shape)
        with need_density("elbo", q):
            log_q: Tensor = q.log_prob(z)
            return z, log_q.detach() - p.log_prob(z), log_q
