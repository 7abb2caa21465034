"""The ops: sampling, KL and log-likelihoods, each a function.

Parameters have shape ``(*batch, *event)``. ``batch_ndim`` counts the leading dimensions of the
broadcast result that are kept; the others are summed. float32, float64, bfloat16 and float16 may be
mixed; data may be bool or integers as well. Results are float32, or float64 where an argument is. A
wrong shape raises ValueError, a wrong dtype TypeError; the message names the op, the argument, what
was expected and what came.

Noise comes from torch's default generator (``torch.manual_seed``), from ``generator``, or from
``seed``, an int64 tensor on the parameters' device: the same seed always gives the same noise.
"""

from .bernoulli import bernoulli_log_prob
from .categorical import categorical_log_prob
from .continuous_bernoulli import continuous_bernoulli_log_prob
from .counts import (
    negative_binomial_log_prob,
    poisson_log_prob,
    zero_inflated_negative_binomial_log_prob,
)
from .elbo import elbo_loss, negative_elbo
from .gaussian import (
    gaussian_kl,
    gaussian_log_prob,
    gaussian_rsample,
    gaussian_rsample_kl,
    gaussian_rsample_log_ratio,
)
from .laplace import laplace_log_prob
from .logistic import discretized_logistic_log_prob
from .logistic_mixture import (
    discretized_logistic_mixture_log_prob,
    discretized_logistic_mixture_sample,
)
from .mixture import (
    gaussian_mixture_log_prob,
    minibatch_stratified_log_weights,
    minibatch_weighted_log_weights,
)
from .mmd import mmd
from .parameters import probs_to_logits, scale_to_logvar
from .rank1 import rank1_gaussian_rsample_kl

__all__ = [
    "bernoulli_log_prob",
    "categorical_log_prob",
    "continuous_bernoulli_log_prob",
    "discretized_logistic_log_prob",
    "discretized_logistic_mixture_log_prob",
    "discretized_logistic_mixture_sample",
    "elbo_loss",
    "gaussian_kl",
    "gaussian_log_prob",
    "gaussian_mixture_log_prob",
    "gaussian_rsample",
    "gaussian_rsample_kl",
    "gaussian_rsample_log_ratio",
    "laplace_log_prob",
    "minibatch_stratified_log_weights",
    "minibatch_weighted_log_weights",
    "mmd",
    "negative_binomial_log_prob",
    "negative_elbo",
    "poisson_log_prob",
    "probs_to_logits",
    "rank1_gaussian_rsample_kl",
    "scale_to_logvar",
    "zero_inflated_negative_binomial_log_prob",
]
