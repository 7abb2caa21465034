"""The ELBO with its KL in three parts."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from pyvae.distributions import DiagonalGaussian
from pyvae.functional import (
    gaussian_mixture_log_prob,
    minibatch_stratified_log_weights,
    minibatch_weighted_log_weights,
)
from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.registry import objectives

__all__ = ["TCVAE"]


WEIGHTS = {"mws": minibatch_weighted_log_weights, "mss": minibatch_stratified_log_weights}


@objectives.register("tc_vae")
class TCVAE(Objective):
    r"""beta-TCVAE: one weight each for mutual information, total correlation, dimension-wise KL.

    .. math::
        \text{loss} = \mathbb E\big[-\log p(x|z)
            + \alpha \log \tfrac{q(z|x)}{q(z)}
            + \beta \log \tfrac{q(z)}{\prod_d q(z_d)}
            + \gamma \log \tfrac{\prod_d q(z_d)}{p(z)}\big],
        \quad q(z) = \frac1N \sum_n q(z|x_n)

    Chen, Li, Grosse & Duvenaud 2018, eq. 2 and 4. With all three at 1 this is the ELBO. The
    densities of the aggregated posterior are estimated from the minibatch, by
    :func:`pyvae.functional.minibatch_weighted_log_weights` ("mws", biased) or
    :func:`pyvae.functional.minibatch_stratified_log_weights` ("mss").

    The terms are ``elbo``, ``log_likelihood``, ``kl``, and the three it is the sum of:
    ``mutual_information``, ``total_correlation`` and ``dimension_kl``. Nats per datum.

    Args:
        alpha: the weight of the mutual information
        beta: the weight of the total correlation
        gamma: the weight of the dimension-wise KL
        estimator: "mws" or "mss"

    Raises:
        ValueError: an unknown estimator, a negative weight, or an unknown number of training data.
        TypeError: another posterior than diagonal_gaussian.

    >>> import torch
    >>> from pyvae import VAE
    >>> objective = TCVAE(beta=6.0)
    >>> objective.data_size = 60_000
    >>> terms = objective(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8)).terms
    >>> parts = ("mutual_information", "total_correlation", "dimension_kl")
    >>> torch.allclose(terms["kl"], sum(terms[part] for part in parts), atol=1e-4)
    True
    """

    min_rows = 2

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
        estimator: Literal["mws", "mss"] = "mws",
    ) -> None:
        super().__init__()
        if estimator not in WEIGHTS:
            raise ValueError(f"tc_vae: estimator must be 'mws' or 'mss', got {estimator!r}")
        if min(alpha, beta, gamma) < 0:
            raise ValueError(
                f"tc_vae: alpha, beta and gamma must not be negative, got {alpha}, {beta}, {gamma}"
            )
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.estimator = estimator

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        q, p = model.infer(batch)
        if not isinstance(q, DiagonalGaussian):
            raise TypeError(
                "tc_vae needs the posterior diagonal_gaussian, whose mixture over the batch is "
                f"q(z), got {type(q).__name__}; factor_vae takes any with rsample"
            )
        z = q.rsample()
        weights = WEIGHTS[self.estimator](len(z), self.rows(), dtype=z.dtype, device=z.device)
        mixture = (z, q.mean, q.logvar, weights)
        log_q = gaussian_mixture_log_prob(*mixture).mean()
        log_q_dims = gaussian_mixture_log_prob(*mixture, per_dimension=True).sum(-1).mean()
        log_q_x, log_p = q.log_prob(z).mean(), p.log_prob(z).mean()
        log_likelihood = model.decode(z, **batch.extras).log_prob(batch.target).mean()
        information, correlation = log_q_x - log_q, log_q - log_q_dims
        dimension_kl = log_q_dims - log_p
        parts = self.alpha * information + self.beta * correlation + self.gamma * dimension_kl
        kl = log_q_x - log_p
        terms = {
            "elbo": log_likelihood - kl,
            "log_likelihood": log_likelihood,
            "kl": kl,
            "mutual_information": information,
            "total_correlation": correlation,
            "dimension_kl": dimension_kl,
        }
        return Result(parts - log_likelihood, {name: t.detach() for name, t in terms.items()})
