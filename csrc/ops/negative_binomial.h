#pragma once

#include "log_prob.h"

namespace pyvae {

// x, mean, inverse_dispersion
PYVAE_LOG_PROB(negative_binomial_log_prob, 3)
// ... and zi_logits
PYVAE_LOG_PROB(zero_inflated_negative_binomial_log_prob, 4)

}  // namespace pyvae
