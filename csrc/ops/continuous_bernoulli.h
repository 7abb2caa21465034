#pragma once

#include "log_prob.h"

namespace pyvae {

// x, logits
PYVAE_LOG_PROB(continuous_bernoulli_log_prob, 2)

}  // namespace pyvae
