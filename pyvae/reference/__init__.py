"""Each op in a few lines of plain PyTorch: the specification.

Tests compare the kernels with these functions, benchmarks race them, and devices without a
kernel run them. They are differentiable to any order and in forward mode, which the kernels
borrow for the rare derivatives they do not hold themselves. Nothing here imports the library.

Every function takes the arguments of the op of the same name: tensors only, noise as a ``seed``.
"""

from .base import compute, sum_event
from .bernoulli import bernoulli_log_prob
from .categorical import categorical_log_prob
from .continuous_bernoulli import continuous_bernoulli_log_prob
from .counts import (
    negative_binomial_log_prob,
    negative_binomial_log_prob_log_mean,
    poisson_log_prob,
    zero_inflated_negative_binomial_log_prob,
    zero_inflated_negative_binomial_log_prob_log_mean,
)
from .elbo import bernoulli_elbo_loss, gaussian_elbo_loss, negative_elbo
from .gaussian import (
    gaussian_kl,
    gaussian_kl_standard,
    gaussian_log_prob,
    gaussian_rsample,
    gaussian_rsample_kl,
    gaussian_rsample_log_ratio,
    gaussian_rsample_log_ratio_path,
    gaussian_rsample_log_ratio_standard,
    gaussian_rsample_log_ratio_standard_path,
)
from .laplace import laplace_log_prob
from .logistic import discretized_logistic_log_mass, discretized_logistic_log_prob
from .logistic_mixture import discretized_logistic_mixture_log_prob
from .mixture import gaussian_mixture_log_prob
from .mmd import mmd
from .noise import philox, philox_normal
from .rank1 import rank1_gaussian_rsample_kl

__all__ = [
    "bernoulli_elbo_loss",
    "bernoulli_log_prob",
    "categorical_log_prob",
    "compute",
    "continuous_bernoulli_log_prob",
    "discretized_logistic_log_mass",
    "discretized_logistic_log_prob",
    "discretized_logistic_mixture_log_prob",
    "gaussian_elbo_loss",
    "gaussian_kl",
    "gaussian_kl_standard",
    "gaussian_log_prob",
    "gaussian_mixture_log_prob",
    "gaussian_rsample",
    "gaussian_rsample_kl",
    "gaussian_rsample_log_ratio",
    "gaussian_rsample_log_ratio_path",
    "gaussian_rsample_log_ratio_standard",
    "gaussian_rsample_log_ratio_standard_path",
    "laplace_log_prob",
    "mmd",
    "negative_binomial_log_prob",
    "negative_binomial_log_prob_log_mean",
    "negative_elbo",
    "philox",
    "philox_normal",
    "poisson_log_prob",
    "rank1_gaussian_rsample_kl",
    "sum_event",
    "zero_inflated_negative_binomial_log_prob",
    "zero_inflated_negative_binomial_log_prob_log_mean",
]
