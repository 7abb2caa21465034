"""The ops: what to call instead of the forty lines everyone rewrites.

Parameters have shape ``(*batch, *event)``. ``batch_ndim`` counts the leading dimensions of the
broadcast result that are kept; the others are summed. float32, float64, bfloat16 and float16 may be
mixed; data may be bool or uint8 as well. Values come back in float32 at least. A wrong shape raises
ValueError, a wrong dtype TypeError, each naming op, argument, what was expected and what came.

Noise is drawn under ``torch.manual_seed``, an explicit ``generator``, or ``seed``: an int64 tensor
on the parameters' device, the same value of which always gives the same noise.
"""

from .bernoulli import bernoulli_log_prob
from .continuous_bernoulli import continuous_bernoulli_log_prob
from .counts import (
    negative_binomial_log_prob,
    poisson_log_prob,
    zero_inflated_negative_binomial_log_prob,
)
from .elbo import elbo_loss
from .gaussian import (
    gaussian_kl,
    gaussian_log_prob,
    gaussian_rsample,
    gaussian_rsample_kl,
    gaussian_rsample_log_ratio,
)
from .laplace import laplace_log_prob
from .logistic import discretized_logistic_log_prob

__all__ = [
    "bernoulli_log_prob",
    "continuous_bernoulli_log_prob",
    "discretized_logistic_log_prob",
    "elbo_loss",
    "gaussian_kl",
    "gaussian_log_prob",
    "gaussian_rsample",
    "gaussian_rsample_kl",
    "gaussian_rsample_log_ratio",
    "laplace_log_prob",
    "negative_binomial_log_prob",
    "poisson_log_prob",
    "zero_inflated_negative_binomial_log_prob",
]
