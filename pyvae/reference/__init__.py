"""Each op in a few lines of plain PyTorch: the specification.

Tests compare the kernels with these functions, benchmarks race them, and devices without a
kernel run them. They are differentiable to any order and in forward mode, which the kernels
borrow for the rare derivatives they do not hold themselves. Nothing here imports the library.

Every function takes the arguments of the op of the same name: tensors only, noise as a ``seed``.
"""

from .base import compute, sum_event
from .bernoulli import bernoulli_log_prob
from .elbo import bernoulli_elbo_loss, gaussian_elbo_loss
from .gaussian import (
    gaussian_kl,
    gaussian_log_prob,
    gaussian_rsample,
    gaussian_rsample_kl,
    gaussian_rsample_log_ratio,
)
from .logistic_mixture import (
    discretized_logistic_log_mass,
    discretized_logistic_mixture_log_prob,
)
from .noise import philox, philox_normal

__all__ = [
    "bernoulli_elbo_loss",
    "bernoulli_log_prob",
    "compute",
    "discretized_logistic_log_mass",
    "discretized_logistic_mixture_log_prob",
    "gaussian_elbo_loss",
    "gaussian_kl",
    "gaussian_log_prob",
    "gaussian_rsample",
    "gaussian_rsample_kl",
    "gaussian_rsample_log_ratio",
    "philox",
    "philox_normal",
    "sum_event",
]
